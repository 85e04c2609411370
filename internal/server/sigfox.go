package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
	"github.com/thingwire/thingwire/internal/sigfox/rest"
)

// SigfoxAWS is the endpoint that stands for AWS itself, and SigfoxOwn for this server.
const (
	SigfoxAWS = "aws"
	SigfoxOwn = "own"
)

// Sigfox is what can be configured of the Sigfox backend, besides Config.SigfoxAccount.
type Sigfox struct {
	// Endpoint is where AWS IoT callbacks assume roles and publish: SigfoxOwn, SigfoxAWS, or the URL of what stands for
	// both services.
	Endpoint string
	// Key signs AssumeRole at endpoints other than this server: an access key of the account that the roles trust.
	Key SigfoxKey

	// Private lets callbacks reach this machine and private networks, Allow are exceptions (delivery.ParseAllowed).
	Private bool
	Allow   []string

	// Speed is how many times faster than in real time retries, downlinks and keep-alives go.
	Speed float64
	// Messages is how many messages of each device are kept; 0 means backend.DefaultKeepMessages.
	Messages int64
}

// SigfoxKey is an access key of AWS. It has no form for printing.
type SigfoxKey struct{ ID, Secret, Token string }

// String shows the id alone.
func (k SigfoxKey) String() string { return k.ID }

// GoString shows the id alone.
func (k SigfoxKey) GoString() string { return "server.SigfoxKey{" + k.ID + "}" }

// maxSigfoxMessages bounds what Messages may be.
const maxSigfoxMessages = 100_000

func (s *Sigfox) validate() error {
	if !s.own() && s.Endpoint != SigfoxAWS {
		if u, err := url.Parse(s.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return fault.New(fault.Invalid, "sigfox_aws_endpoint is %q", s.Endpoint).WithRemedy("use %s, %s, or the URL of what stands for AWS", SigfoxOwn, SigfoxAWS)
		}
	}
	if !s.own() && (s.Key.ID == "" || s.Key.Secret == "") {
		return fault.New(fault.Invalid, "AWS IoT callbacks are to go to %s and there is no access key to sign with", s.Endpoint).
			WithRemedy("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of the account that the roles trust")
	}
	if s.Speed != 0 && !(s.Speed >= 1e-3 && s.Speed <= 1e6) { // NaN is neither
		return fault.New(fault.Invalid, "sigfox_speed is %v", s.Speed).WithRemedy("use 1, or more to go faster")
	}
	if s.Messages < 0 || s.Messages > maxSigfoxMessages {
		return fault.New(fault.Invalid, "sigfox_messages is %d", s.Messages).WithRemedy("use 1 to %d, or leave it out", maxSigfoxMessages)
	}
	_, err := s.allowed()
	return err
}

func (s *Sigfox) own() bool { return s.Endpoint == "" || s.Endpoint == SigfoxOwn }

func (s *Sigfox) allowed() (all []delivery.Allowed, err error) {
	for _, text := range s.Allow {
		a, err := delivery.ParseAllowed(text)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// sigfoxRooms are the Sigfox backend and what it stands on.
type sigfoxRooms struct {
	backend  *backend.Backend
	receiver *receive.Receiver
	rest     *rest.Handler
	sender   *delivery.Sender
	own      atomic.Pointer[ownDoors] // nil until the listeners are open
	topics   *broker.Service          // of downlinks

	subscribed atomic.Int32
}

// ownDoors are where this server listens.
type ownDoors struct {
	endpoint  string // of AWS IoT callbacks, empty when no listener takes signatures
	listeners []netip.AddrPort
}

// openSigfox opens the backend. It begins with what is owed when the listeners are open: it may be owed to them.
func (r *rooms) openSigfox(ctx context.Context, log *slog.Logger) error {
	allow, err := r.cfg.Sigfox.allowed()
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.authority.RootPEM())
	f, origin := &r.fox, uuid.NewString()
	cfg := delivery.Config{
		Origin:    origin,
		Guard:     delivery.Guard{Private: r.cfg.Sigfox.Private, Own: delivery.Listening(f.listening), Allow: allow},
		Endpoints: f.ownEndpoint, EndpointRoots: roots,
		Key: func(context.Context) (delivery.Key, error) {
			return delivery.Key{ID: r.sigfox.AccessKeyID, Secret: r.sigfox.Secret.Reveal()}, nil
		},
	}
	if to := r.cfg.Sigfox.Endpoint; !r.cfg.Sigfox.own() {
		cfg.EndpointRoots = nil
		cfg.Endpoints = func(string) delivery.Endpoints {
			if to == SigfoxAWS {
				return delivery.Endpoints{}
			}
			return delivery.Endpoints{STS: to, Data: to}
		}
		cfg.Key = func(context.Context) (delivery.Key, error) { return delivery.Key(r.cfg.Sigfox.Key), nil }
	}
	f.sender = delivery.New(cfg)
	f.backend, err = backend.Open(ctx, backend.Config{
		Store: r.store, Sender: f.sender, Tell: r.tellSigfox, Log: log, KeepMessages: int(r.cfg.Sigfox.Messages), Speed: r.cfg.Sigfox.Speed,
		Hints:        r.sigfoxHints,
		Acknowledged: func(device string, text []byte) { r.broker.Announce(backend.DownlinkTopic+device+"/ack", text) },
	})
	if err != nil {
		f.sender.Close()
		return err
	}
	r.closers = append(r.closers, func() error { return r.closeSigfox() })
	if opened := func(a delivery.Allowed) bool { return a.Port != 0 }; slices.ContainsFunc(allow, opened) {
		origin = "" // a listener of ours was opened for callbacks on purpose
	}
	f.receiver, err = receive.Open(ctx, receive.Config{
		Account: r.cfg.Account, Region: r.cfg.Region, Store: r.store, Broker: r.broker, Journal: r.journal, Log: log, Origin: origin,
	})
	if err != nil {
		return err
	}
	door := &httpDoor{rooms: r, log: log}
	f.rest = rest.New(rest.Config{Backend: f.backend, Guard: r.guard, Log: log, Refused: r.noteLogin, Denied: door.noteDenied})
	r.control.Mount(sigfoxPrefix, sigfoxAPI(f, log))
	return nil
}

func (r *rooms) tellSigfox(e journal.Entry) { r.journal.Record(e) }

// sigfoxHints compares an AWS IoT callback with the account and region that it reaches here.
func (r *rooms) sigfoxHints(c *backend.Callback) (hints []string) {
	if c.Channel != backend.ChannelAWS || !r.cfg.Sigfox.own() {
		return nil
	}
	if parts := strings.Split(c.RoleARN, ":"); len(parts) > 4 && parts[4] != r.cfg.Account {
		hints = append(hints, fmt.Sprintf("the role is of account %s, and this server's account is %s: there is no such role here", parts[4], r.cfg.Account))
	}
	if c.Region != r.cfg.Region {
		hints = append(hints, fmt.Sprintf("the region is %s, and this server's region is %s: the message is published here all the same, "+
			"if the role may publish to the topic in %s", c.Region, r.cfg.Region, r.cfg.Region))
	}
	return hints
}

func (r *rooms) closeSigfox() error {
	if r.fox.topics != nil {
		r.fox.topics.Close()
	}
	r.fox.backend.Close()
	r.fox.sender.Close()
	return nil
}

// ownEndpoint is this server for every region: it has one of everything (Sigfox reference, 8.3).
func (f *sigfoxRooms) ownEndpoint(string) delivery.Endpoints {
	own := f.own.Load()
	if own == nil || own.endpoint == "" {
		return delivery.Endpoints{STS: noEndpoint, Data: noEndpoint}
	}
	return delivery.Endpoints{STS: own.endpoint, Data: own.endpoint}
}

// noEndpoint is where an AWS IoT callback goes that has no listener to go to: nowhere, and not to AWS.
const noEndpoint = "https://api-listener-is-off.invalid"

func (f *sigfoxRooms) listening() []netip.AddrPort {
	if own := f.own.Load(); own != nil {
		return own.listeners
	}
	return nil
}

// startSigfox lets the backend begin, once it is known where the server listens.
func (r *rooms) startSigfox(addrs map[string]string) {
	own := &ownDoors{}
	for _, name := range []string{"console", "shared", "api"} { // the last one that is open
		if addr := addrs[name]; addr != "" {
			own.endpoint = ownURL(name, addr)
		}
	}
	for _, addr := range addrs {
		if a, err := netip.ParseAddrPort(addr); err == nil {
			own.listeners = append(own.listeners, a)
		}
	}
	r.fox.own.Store(own)
	by := broker.NewCaller("thingwire-sigfox", "", policy.AllowAll(), &policy.Connection{})
	r.fox.topics, _ = r.broker.Serve(by, []broker.SubscribeRequest{{Filter: backend.DownlinkTopic + "+", QoS: 1}}, r.takeDownlink)
	r.fox.subscribed.Store(1)
	r.fox.backend.Start()
}

// subscriptions are the backend's own, which are not those of a client.
func (f *sigfoxRooms) subscriptions() int { return int(f.subscribed.Load()) }

// ownURL leads this process to one of its listeners. The certificate has the names of this machine.
func ownURL(name, addr string) string {
	scheme := "https"
	if name == "console" {
		scheme = "http"
	}
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	host := a.Addr().Unmap().WithZone("").String()
	if a.Addr().IsUnspecified() || a.Addr().IsLoopback() && a.Addr().Is4() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(a.Port())))
}

// takeDownlink queues what was published for a device. A retained message is of an earlier day: it would be queued anew
// with each start.
func (r *rooms) takeDownlink(m broker.Received) {
	if m.Retain {
		return
	}
	topic := m.Message.Topic
	device := strings.TrimPrefix(topic, backend.DownlinkTopic)
	err := r.fox.backend.TakeDownlink(context.Background(), topic, m.Message.Payload)
	if err != nil && r.fox.receiver.Answers(topic) {
		if m.Message.Retain {
			return // it waits for a receiving endpoint, which says itself if it is of no use
		}
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.NotFound, "device %s is one of receiving endpoints alone, and those answer with retained messages", device).
				WithRemedy("publish the downlink with RETAIN")
		}
	}
	if err != nil {
		r.journal.Record(broker.Entry(journal.Entry{EventType: "Sigfox-Downlink", Protocol: "MQTT", TopicName: topic, ClientID: device}, err))
	}
}
