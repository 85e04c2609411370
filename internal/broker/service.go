package broker

import (
	"sync"
)

// Service is a session in this process: a function instead of a socket. It has no client id, no presence and no
// quota. Its function runs on its own goroutine, never on a publisher's.
type Service struct {
	conn *Connection
	link *serviceLink
}

// Received is a message as a service gets it; it owns its memory.
type Received struct {
	Message *Message
	Retain  bool
	QoS     byte
}

// serviceBacklog is how many messages may wait for a service's function; the newest are dropped and counted.
const serviceBacklog = 10_000

// Serve starts a service for a caller, who needs the permissions of any other subscriber. fn is called for each
// message until Close.
func (b *Broker) Serve(by *Caller, reqs []SubscribeRequest, fn func(Received)) (*Service, []SubscribeResult) {
	l := &serviceLink{fn: fn, done: make(chan struct{})}
	l.cond = sync.NewCond(&l.mu)
	c := &Connection{b: b, id: b.lastConn.Add(1), caller: by, link: l, quiet: true, session: &session{clientID: by.ClientID}}
	by.conn = c
	go l.run()
	c.Start()
	results := c.Subscribe(reqs, false)
	c.SendRetained(results)
	return &Service{conn: c, link: l}, results
}

// Dropped is how many messages were lost because the function was too slow.
func (s *Service) Dropped() int64 {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.link.dropped
}

// Close ends the service and waits for its function to return.
func (s *Service) Close() {
	c := s.conn
	c.session.mu.Lock()
	c.ended = true
	c.session.live.CompareAndSwap(c, nil)
	c.session.mu.Unlock()
	c.b.unroute(c.session)
	s.link.Kick(Cause{})
	<-s.link.done
}

// serviceLink is a bounded outbox whose writer is a function.
type serviceLink struct {
	fn   func(Received)
	done chan struct{}

	mu      sync.Mutex
	cond    *sync.Cond
	queue   []Received
	dropped int64
	over    bool
}

func (l *serviceLink) Deliver(ds []Delivery, _ bool) (took int, flush bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return len(ds), false
	}
	for _, d := range ds {
		if len(l.queue) >= serviceBacklog {
			l.dropped++
			continue
		}
		l.queue = append(l.queue, Received{Message: d.Message.clone(), Retain: d.Retain, QoS: d.QoS})
	}
	l.cond.Signal()
	return len(ds), false
}

func (l *serviceLink) Flush() bool { return false }

func (l *serviceLink) Kick(Cause) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.cond.Signal()
}

func (l *serviceLink) run() {
	defer close(l.done)
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.over {
			l.cond.Wait()
		}
		if l.over {
			l.mu.Unlock()
			return
		}
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, r := range batch {
			l.fn(r)
		}
	}
}

// clone copies what a receiver keeps beyond the batch.
func (m *Message) clone() *Message {
	c := &Message{
		Topic: m.Topic, Payload: append([]byte(nil), m.Payload...), QoS: m.QoS, Retain: m.Retain, Expiry: m.Expiry,
		ID: m.ID, Time: m.Time, Expires: m.Expires, hops: m.hops,
	}
	if m.Props != nil {
		p := *m.Props
		if p.CorrelationData != nil {
			p.CorrelationData = append([]byte{}, p.CorrelationData...)
		}
		c.Props = &p
	}
	return c
}
