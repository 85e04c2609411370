package receive

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// downlinkBytes is what a frame to a device has.
const downlinkBytes = 8

// always is the condition that holds.
var always store.Condition

// checkDownlink takes exactly 8 bytes in hexadecimal digits.
func checkDownlink(text string) (string, error) {
	data, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(data) != downlinkBytes {
		return "", invalid("%.40q is not 8 bytes", text).WithRemedy("write 16 hexadecimal digits")
	}
	return hex.EncodeToString(data), nil
}

// answer is what a BIDIR callback is answered with (Sigfox reference, section 10): nil, which is 204, when the device does
// not listen or there is nothing for it.
func (r *Receiver) answer(ctx context.Context, c *compiled, v *values) ([]byte, error) {
	if c.Downlink == DownlinkNone || v.Map["ack"] != "true" {
		return nil, nil
	}
	data, err := r.downlink(ctx, c, v)
	if err != nil || data == "" {
		return nil, err
	}
	return json.Marshal(map[string]map[string]string{v.device: {"downlinkData": data}})
}

func (r *Receiver) downlink(ctx context.Context, c *compiled, v *values) (string, error) {
	switch c.Downlink {
	case DownlinkQueue:
		return r.takeQueued(ctx, c.Name, v.device)
	case DownlinkTopic:
		return r.takeRetained(ctx, c, v)
	}
	text, err := c.downlink.Render(v)
	if err == nil {
		text, err = checkDownlink(text)
	}
	if err != nil { // the message is published: the sender is not to send it again
		r.useless(c, "", err)
		return "", nil
	}
	return text, nil
}

// useless records a downlink that cannot be sent.
func (r *Receiver) useless(c *compiled, topic string, err error) {
	if r.cfg.Journal != nil {
		r.cfg.Journal.Record(broker.Entry(journal.Entry{
			EventType: journal.PublishOut, Protocol: "HTTP", LogLevel: journal.LevelError, Packet: "downlink", TopicName: topic,
			PrincipalID: Principal(c.Name),
		}, err))
	}
}

// QueueDownlink keeps what the device's next request is answered with, in place of what waits already. expires is when it
// is of no use any more; never when zero.
func (r *Receiver) QueueDownlink(ctx context.Context, name, device, data string, expires time.Time) (*Downlink, error) {
	r.editing.Lock() // what waits in an endpoint goes with it
	defer r.editing.Unlock()
	e, err := r.Endpoint(name)
	if err != nil {
		return nil, err
	}
	if e.Downlink != DownlinkQueue {
		return nil, invalid("the receiving endpoint %s takes its downlinks from: %s", name, e.Downlink).WithRemedy("let it: thingwire sigfox receiver update %s --callback BIDIR --downlink queue", name)
	}
	if device, err = deviceID(device); err != nil {
		return nil, err
	}
	if data, err = checkDownlink(data); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Downlink{Data: data, Queued: r.now(), Expires: expires}
	return d, documents.Commit(r.cfg.Store, documents.Put(downlinksBucket, name+"/"+device, d, always))
}

// Queued is what waits for a device; fault.NotFound if nothing does.
func (r *Receiver) Queued(ctx context.Context, name, device string) (*Downlink, error) {
	device, err := deviceID(device)
	if err != nil {
		return nil, err
	}
	d, _, err := documents.Load[Downlink](ctx, r.cfg.Store, downlinksBucket, name+"/"+device)
	return d, err
}

// takeQueued takes what waits for a device, once, empty for nothing.
func (r *Receiver) takeQueued(ctx context.Context, name, device string) (string, error) {
	key := name + "/" + device
	for {
		d, rev, err := documents.Load[Downlink](ctx, r.cfg.Store, downlinksBucket, key)
		if fault.Is(err, fault.NotFound) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		err = documents.Commit(r.cfg.Store, documents.Remove(downlinksBucket, key, documents.AtRev(rev)))
		if fault.Is(err, fault.Conflict) {
			continue // another request took it, or a newer one came
		}
		if err != nil {
			return "", err
		}
		if d.Expires.IsZero() || r.now().Before(d.Expires) {
			return d.Data, nil
		}
	}
}

// takeRetained answers with the retained message of the endpoint's downlink topic, once: 16 hexadecimal digits, or
// {"downlinkData":"…"}. Its time is kept, so that it is not answered a second time; a newer one is.
func (r *Receiver) takeRetained(ctx context.Context, c *compiled, v *values) (string, error) {
	name, err := topicOf(c.downlinkTopic, v)
	if err != nil {
		return "", err
	}
	m, err := r.cfg.Broker.GetRetained(ctx, c.caller(), name)
	if fault.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := downlinkOf(m.Payload)
	if err != nil {
		r.useless(c, name, err)
		return "", nil
	}
	for key := c.Name + "/" + v.device; ; {
		last, rev, err := documents.Load[taken](ctx, r.cfg.Store, takenBucket, key)
		when := documents.AtRev(rev)
		switch {
		case fault.Is(err, fault.NotFound):
			when = documents.Absent
		case err != nil:
			return "", err
		case m.Time < last.Time, m.Time == last.Time && data == last.Data:
			return "", nil
		}
		err = documents.Commit(r.cfg.Store, documents.Put(takenBucket, key, taken{Time: m.Time, Data: data}, when))
		if err == nil {
			return data, nil
		}
		if !fault.Is(err, fault.Conflict) {
			return "", err
		}
	}
}

// Answers reports whether an endpoint answers requests with the retained message of a topic.
func (r *Receiver) Answers(topic string) bool {
	for _, c := range *r.endpoints.Load() {
		if c.downlinkTopic != nil && !c.Disabled && c.policies.Decide(&policy.Request{Action: actionGetRetained, Resource: r.topicARN(topic)}).Allowed {
			return true
		}
	}
	return false
}

func downlinkOf(message []byte) (string, error) {
	var m struct {
		Data *string `json:"downlinkData"`
	}
	if json.Unmarshal(message, &m) == nil && m.Data != nil {
		return checkDownlink(*m.Data)
	}
	return checkDownlink(string(message))
}
