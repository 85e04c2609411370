package backend

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// invalidDownlink is what the callback status says of an answer whose downlink cannot be sent (reference, section 6).
const invalidDownlink = "Downlink: invalid payload"

// noContent is the status of a receiver that has nothing to say.
const noContent = 204

// reply is what an answer of a BIDIR callback means for one device.
type reply struct {
	data    string // 16 hexadecimal digits, or ""
	verdict int
	detail  string
}

// readReply reads the answer of a callback that is asked for downlinks (the table of the reference, section 10).
func readReply(o *delivery.Outcome, device string) reply {
	switch {
	case !o.OK && o.Info == "Timeout":
		return reply{verdict: OverrunError, detail: "the callback did not answer within 10 seconds"}
	case !o.OK:
		return reply{verdict: NetworkError, detail: "the callback failed: " + o.Info}
	case o.Status == noContent:
		return reply{verdict: NoAnswer, detail: "the callback had nothing to send (204)"}
	}
	entry, ok := entryOf(o.Answer, device)
	switch {
	case !ok:
		return reply{verdict: NoAnswer, detail: "the callback's answer has nothing for " + device}
	case entry.Data == nil && entry.NoData:
		return reply{verdict: NoAnswer, detail: "the callback had nothing to send (noData)"}
	case entry.Data == nil:
		return reply{verdict: NoAnswer, detail: "the callback's answer has no downlinkData for " + device}
	}
	var text string
	if err := json.Unmarshal(entry.Data, &text); err != nil {
		return reply{verdict: InvalidPayload, detail: "downlinkData is not a text"}
	}
	data, err := checkDownlink(text)
	if err != nil {
		return reply{verdict: InvalidPayload, detail: err.Error()}
	}
	return reply{data: data, verdict: Acked}
}

type replyEntry struct {
	Data   json.RawMessage `json:"downlinkData"`
	NoData bool            `json:"noData"`
}

// entryOf finds a device in an answer; its key may be in either case. What is for others is ignored.
func entryOf(answer []byte, device string) (e replyEntry, ok bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(answer, &all) != nil {
		return e, false
	}
	raw, ok := all[device]
	for key, value := range all {
		if id, err := CanonicalID(key); !ok && err == nil && id == device {
			raw, ok = value, true
		}
	}
	return e, ok && json.Unmarshal(raw, &e) == nil && string(raw) != "null"
}

// answered decides the downlink of a message whose callback was asked for it. It comes before the delivery's own record: a
// delivery that is made again after a kill finds it decided. What is shown of the delivery changes with an answer that is
// of no use.
func (b *Backend) answered(c *compiled, i *item, o *delivery.Outcome) {
	t, err := b.known.deviceType(b.ctx, c.DeviceType)
	if err != nil || t.DownlinkHook != c.ID || i.Number == 0 || i.Facts["ack"] != "true" {
		return
	}
	r := readReply(o, i.Device)
	if o.OK && r.verdict == InvalidPayload {
		o.Info = invalidDownlink
		o.Remedy = `answer {"` + i.Device + `":{"downlinkData":"0011223344556677"}}: exactly 8 bytes in hexadecimal digits`
	}
	if err := b.decideByReply(i, r); err != nil && b.ctx.Err() == nil {
		b.log.Error("sigfox: a downlink cannot be decided", slog.String("device", i.Device), slog.Any("err", err))
	}
}

// decideByReply writes the verdict, unless there is one, or the answer came too late.
func (b *Backend) decideByReply(i *item, r reply) error {
	key := messageKey(i.Device, i.Number)
	h, err := b.hot.hold(b.ctx, i.Device)
	if err != nil {
		return err
	}
	defer h.drop()
	d, rev, err := b.downlink(b.ctx, key)
	if fault.Is(err, fault.NotFound) {
		h.unlock()
		return nil // the message is not kept any more
	}
	if err != nil || d.Verdict != Pending || d.InfoCode != Pending {
		h.unlock()
		return err
	}
	now := time.Now()
	p := b.post(now)
	if now.After(d.Asked.Add(b.scaled(answerWithin))) {
		r = reply{verdict: OverrunError, detail: "the callback's answer came after 10 seconds"}
	}
	if r.verdict == Acked {
		h.life.today(now)
		if h.life.Downlinks >= dailyDownlinks {
			d.Overuse = true
			r = reply{verdict: TooManyRequests, detail: "the device got its 4 downlinks of the day"}
		} else {
			h.life.Downlinks++
			p.put(livesBucket, deviceKey(i.Device), h.life)
		}
	}
	d.Data = r.data
	d.verdict(r.verdict, r.detail)
	p.batch.Docs = append(p.batch.Docs, documents.Put(downlinksBucket, key, d, documents.AtRev(rev)))
	h.commits.Add(1)
	p.hand()
	h.unlock()
	err = p.durable()
	h.commits.Done()
	if fault.Is(err, fault.Conflict) {
		return nil // it was settled at this very moment
	}
	return err
}
