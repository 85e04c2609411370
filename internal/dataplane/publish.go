package dataplane

import (
	"context"
	"math"
	"net/http"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
)

// publishing is the memory of one Publish; it goes back to its pool when the broker is done with it.
type publishing struct {
	caller *broker.Caller
	batch  broker.Batch
	done   chan struct{} // the batch is done; it has room, so that the store never waits
	body   []byte
	answer []byte
}

func (h *Handler) newPublishing() *publishing {
	if p, ok := h.publishings.Get().(*publishing); ok {
		return p
	}
	p := &publishing{caller: broker.NewCaller("", "", nil, nil), done: make(chan struct{}, 1)}
	p.batch.Done = func(*broker.Batch) { p.done <- struct{}{} }
	return p
}

// recycle gives the memory back. A batch that the broker still has must not come here.
func (h *Handler) recycle(p *publishing) {
	p.batch.Reset()
	h.publishings.Put(p)
}

// publish is POST /topics/{topic}: a batch of one through the broker's door. Its 200 says that the message was taken and,
// with QoS 1 or retain, that what it promises is on disk.
func (h *Handler) publish(c *call) error {
	p := h.newPublishing()
	busy, err := h.publishWith(c, p)
	if busy {
		return err // the broker still has the memory
	}
	if err == nil {
		p.ok(c)
	}
	h.recycle(p)
	return err
}

// publishWith publishes the request. busy says that the broker has not let go of p.
func (h *Handler) publishWith(c *call, p *publishing) (busy bool, err error) {
	m := p.batch.Add()
	if err := h.decodePublish(c, p, m); err != nil {
		return false, err
	}
	if err := h.broker.Admit(); err != nil {
		return false, err
	}
	p.caller.Principal = c.caller.Principal
	p.caller.SetRights(c.caller.Policies, c.caller.Vars)
	if !h.broker.Publish(p.caller, &p.batch) {
		if err := await(c.r.Context(), p.done); err != nil {
			return true, err
		}
	}
	return false, p.batch.Results[0]
}

// await waits until a batch is done, or until nobody waits for the answer any more.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, ctx.Err(), "the client went away before its message was on disk: it may have been taken or not").
			WithRemedy("publish it again, or give the client more time for an answer")
	}
}

// decodePublish fills in the message: topic, parameters, properties, and the body last.
func (h *Handler) decodePublish(c *call, p *publishing, m *broker.Message) (err error) {
	q := parameters{limits: h.limits}
	if m.Topic, err = c.target.text("topic"); err != nil {
		return err
	}
	if err := q.read(c.r.URL.RawQuery, publishParameters); err != nil {
		return err
	}
	m.QoS, m.Retain, m.Expiry, m.RetainOrRefuse = q.qos, q.retain, q.expiry, true
	c.qos, c.retain = q.qos, q.retain
	if m.Props, err = properties(c.r.Header, &q); err != nil {
		return err
	}
	p.body, err = readBody(c.r, p.body, h.limits.Payload)
	m.Payload = p.body
	return err
}

// The header of every answer to a publish. Nobody writes to it.
var jsonType = []string{"application/json"}

// ok answers as AWS IoT Core does, with the request id once more as traceId.
func (p *publishing) ok(c *call) {
	p.answer = appendOK(p.answer[:0], c.id)
	c.w.Header()["Content-Type"] = jsonType
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(p.answer) // the client went away
}

func appendOK(dst []byte, id string) []byte {
	dst = append(dst, `{"message":"OK","traceId":"`...)
	dst = append(dst, id...)
	return append(dst, `"}`...)
}

// expiryOf is a message expiry as AWS takes it: 0 is 1, and what no message may live for is cut by the broker.
func expiryOf(seconds int64) uint32 { return uint32(min(max(seconds, 1), math.MaxUint32)) }
