package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session/state"

	"github.com/thingwire/thingwire/internal/fault"
)

// mqttConfig is what an MQTT 5 connection of a verb needs. The functions are called one at a time each.
type mqttConfig struct {
	target        target
	clientID      string
	sessionExpiry time.Duration // how long the server keeps the session of a lost connection
	forget        bool          // the session ends with Close

	onMessage     func(topic string, payload []byte)
	afterMessage  func() // a message's PUBACK, if it has one, was sent; may be nil
	onInterrupted func(err error)
	onResumed     func(sessionPresent bool) // before the messages of the new connection; must not wait for the server
	afterResumed  func()                    // may subscribe again
}

// mqttClient is a connection that comes back: when it is lost it is made anew, with the same session and what was not
// acknowledged yet. It stands on paho's client alone: autopaho would bring a WebSocket library and retries a first
// connection for ever, where a verb has to say what is wrong.
type mqttClient struct {
	cfg     mqttConfig
	session *state.State
	ctx     context.Context // ends with Close, or with the cause that the server gave for not wanting us
	cancel  context.CancelCauseFunc
	done    chan struct{}

	mu   sync.Mutex
	live *mqttLink     // nil while interrupted
	up   chan struct{} // closed when live is set
}

// acking is a session that tells when a message is done with: what ends then must not take its PUBACK along.
type acking struct {
	*state.State
	after func()
}

// Ack implements session.SessionManager.
func (a acking) Ack(p *packets.Publish) error {
	err := a.State.Ack(p)
	if a.after != nil {
		a.after()
	}
	return err
}

// mqttLink is one network connection; down ends with the cause of its loss.
type mqttLink struct {
	client         *paho.Client
	down           context.Context
	sessionPresent bool
	told           chan struct{} // closed when onResumed has returned; messages wait for it
}

const (
	connectTimeout = 10 * time.Second
	answerTimeout  = 10 * time.Second
	keepAlive      = 30 // seconds; the least that the server knows
	receiveMaximum = 100
	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
)

var errClosed = errors.New("the connection was closed")

// connectMQTT makes the first connection, or says why it cannot be made. Close ends it.
func connectMQTT(ctx context.Context, cfg mqttConfig) (*mqttClient, error) {
	c := &mqttClient{cfg: cfg, session: state.NewInMemory(), done: make(chan struct{}), up: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	link, err := c.dial(ctx)
	if err != nil {
		c.cancel(err)
		_ = c.session.Close() // of a memory session; nothing can go wrong
		return nil, err
	}
	close(link.told)
	c.set(link)
	go c.keep(link)
	return c, nil
}

// dial makes one network connection and session on it.
func (c *mqttClient) dial(ctx context.Context) (*mqttLink, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.cfg.target.dial(ctx)
	if err != nil {
		return nil, err
	}
	down, lost := context.WithCancelCause(context.Background())
	told := make(chan struct{})
	client := paho.NewClient(paho.ClientConfig{
		ClientID: c.cfg.clientID,
		Conn:     conn,
		Session:  acking{c.session, c.cfg.afterMessage},
		// A PUBACK may come one or more connections later: each call is bounded by its own context instead.
		PacketTimeout:      24 * time.Hour,
		OnClientError:      func(err error) { lost(err) },
		OnServerDisconnect: func(d *paho.Disconnect) { lost(disconnected(d)) },
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			<-told
			c.cfg.onMessage(r.Packet.Topic, r.Packet.Payload)
			return true, nil
		}},
	})
	expiry, window := uint32(c.cfg.sessionExpiry/time.Second), uint16(receiveMaximum)
	connack, err := client.Connect(ctx, &paho.Connect{
		ClientID: c.cfg.clientID, KeepAlive: keepAlive,
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &window, RequestProblemInfo: true},
	})
	if err != nil {
		lost(err)
		return nil, refusedConnect(c.cfg.target, c.cfg.clientID, connack, err)
	}
	return &mqttLink{client: client, down: down, sessionPresent: connack.SessionPresent, told: told}, nil
}

// keep watches the connection and makes it anew until Close.
func (c *mqttClient) keep(link *mqttLink) {
	defer close(c.done)
	for {
		select {
		case <-c.ctx.Done():
			c.disconnect(link)
			return
		case <-link.down.Done():
		}
		c.set(nil)
		<-link.client.Done()
		cause := context.Cause(link.down)
		if fault.Is(cause, fault.Denied) || fault.Is(cause, fault.Conflict) {
			c.cancel(cause) // coming back would end the same way
			return
		}
		c.cfg.onInterrupted(cause)
		if link = c.redial(); link == nil {
			return
		}
		c.set(link)
		c.cfg.onResumed(link.sessionPresent)
		close(link.told)
		c.cfg.afterResumed()
	}
}

// redial tries until it works, nil when the client is closed.
func (c *mqttClient) redial() *mqttLink {
	for wait := firstBackoff; ; wait = min(2*wait, longestBackoff) {
		timer := time.NewTimer(wait)
		select {
		case <-c.ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		if link, err := c.dial(c.ctx); err == nil {
			return link
		}
	}
}

// disconnect says goodbye.
func (c *mqttClient) disconnect(link *mqttLink) {
	d := &paho.Disconnect{}
	if c.cfg.forget {
		d.Properties = &paho.DisconnectProperties{SessionExpiryInterval: new(uint32)}
	}
	_ = link.client.Disconnect(d) // a connection that is lost by now needs no goodbye
}

// set makes link the one that calls use, or none.
func (c *mqttClient) set(link *mqttLink) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live = link; link == nil {
		c.up = make(chan struct{})
		return
	}
	close(c.up)
}

// await waits for a connection.
func (c *mqttClient) await(ctx context.Context) (*mqttLink, error) {
	for {
		c.mu.Lock()
		live, up := c.live, c.up
		c.mu.Unlock()
		if live != nil {
			return live, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// within is ctx, ended by the end of the client too.
func (c *mqttClient) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ctx, func() { cancel(context.Cause(c.ctx)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Subscribe subscribes on the present connection and answers the granted QoS.
func (c *mqttClient) Subscribe(ctx context.Context, filter string, qos byte) (byte, error) {
	ctx, cancel := c.within(ctx)
	defer cancel()
	link, err := c.await(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancelTimeout := context.WithTimeoutCause(ctx, answerTimeout, fault.New(fault.Unavailable, "the server does not answer the subscription to %q", filter))
	defer cancelTimeout()
	ctx, lost := context.WithCancelCause(ctx)
	defer context.AfterFunc(link.down, func() { lost(context.Cause(link.down)) })()
	suback, err := link.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}}})
	switch {
	case err == nil:
		return suback.Reasons[0], nil
	case suback != nil:
		return 0, refusedAnswer("subscribe to", filter, suback.Reasons[0], reasonOf(suback))
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	}
	return 0, err
}

// Publish publishes with QoS 1 and waits for the acknowledgement, across as many connections as that takes.
func (c *mqttClient) Publish(ctx context.Context, topic string, payload []byte) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	for {
		link, err := c.await(ctx)
		if err != nil {
			return err
		}
		answer, err := link.client.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: payload})
		switch {
		case err == nil:
			return nil
		case answer != nil:
			return refusedAnswer("publish to", topic, answer.ReasonCode, puback(answer))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, paho.ErrInvalidArguments):
			return err
		}
		// The connection was lost before the message was in the session: again on the next one.
		select {
		case <-link.down.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Failed is closed when the server does not want this client any more; Err says why.
func (c *mqttClient) Failed() <-chan struct{} { return c.ctx.Done() }

// Err is why the client ended.
func (c *mqttClient) Err() error { return context.Cause(c.ctx) }

// Close says goodbye and waits for the client's goroutines.
func (c *mqttClient) Close() {
	c.cancel(errClosed)
	<-c.done
	_ = c.session.Close() // of a memory session; nothing can go wrong
}
