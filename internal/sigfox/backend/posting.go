package backend

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// debt is a delivery that is owed: all that is needed to make it, whatever becomes of the message.
type debt struct {
	DeviceType string    `json:"type"`
	Device     string    `json:"device"`
	Number     uint64    `json:"number,omitempty"` // of the message; 0 for what no message caused
	Data       string    `json:"data,omitempty"`
	Time       time.Time `json:"time"`  // of the message or event
	Since      time.Time `json:"since"` // when it was owed first
	Facts      facts     `json:"facts"`
	Tried      int       `json:"tried,omitempty"` // attempts that failed
	First      *Attempt  `json:"first,omitempty"` // the first of them
}

// item is a debt on its way.
type item struct {
	debt
	callback string
	key      string // in the bucket of debts
	due      time.Time
}

// dueKey puts what is due first before the rest, and the messages of a device in their order.
func dueKey(callback string, due time.Time, device string, n uint64) string {
	return fmt.Sprintf("%s/%s/%s/%016x", callback, timeKey(due), deviceKey(device), n)
}

// dueOf reads when the debt of a key is to be tried, and whose it is.
func dueOf(key string) (callback string, due time.Time, ok bool) {
	callback, rest, _ := strings.Cut(key, "/")
	text, _, _ := strings.Cut(rest, "/")
	due, ok = timeOf(text)
	return callback, due, ok && callback != ""
}

func (i *item) bytes() []byte {
	data, err := hex.DecodeString(i.Data)
	if err != nil {
		return nil // it was written by owe
	}
	return data
}

// posting is one commit with the deliveries and timers that follow from it.
type posting struct {
	b      *Backend
	now    time.Time
	life   *life
	batch  store.Batch
	owed   []*posted
	timers []time.Time
	ticket *store.Ticket
	err    error // why it cannot be committed
}

type posted struct {
	item
	lane  *lane
	place chan struct{} // that its lane has kept for it; nil for none
}

func (b *Backend) post(now time.Time) *posting { return &posting{b: b, now: now} }

func (p *posting) put(bucket, key string, v any) {
	p.batch.Docs = append(p.batch.Docs, documents.Put(bucket, key, v, always))
}

func (p *posting) remove(bucket string, keys ...string) {
	p.batch.Docs = append(p.batch.Docs, removals(bucket, keys)...)
}

func (p *posting) timer(due time.Time, rest string) {
	p.batch.Docs = append(p.batch.Docs, documents.Mark(timersBucket, timeKey(due)+"/"+rest))
	p.timers = append(p.timers, due)
}

// owe adds a delivery of a message to a callback, to be tried when it is due.
func (p *posting) owe(c *compiled, m *Message, f facts, due time.Time) {
	m.Callbacks = append(m.Callbacks, c.ID)
	p.oweTo(c, &debt{DeviceType: m.DeviceType, Device: m.Device, Number: m.Number, Data: m.Data, Time: m.Time, Facts: f}, due)
}

func (p *posting) oweTo(c *compiled, d *debt, due time.Time) {
	d.Since = p.now
	one := &posted{item: item{debt: *d, callback: c.ID}, lane: p.b.lanes.of(c.ID)}
	if c.Channel == ChannelBatch {
		due = one.lane.window(due)
	}
	one.due = due
	one.key = dueKey(c.ID, due, d.Device, d.Number)
	if one.lane.full() {
		p.overflow(c, &one.item)
		return
	}
	one.place = one.lane.admit(one.key, c.Channel != ChannelBatch && !due.After(p.now))
	p.put(dueBucket, one.key, one.debt)
	p.owed = append(p.owed, one)
}

// overflow lists a delivery as not delivered, because too many wait before it.
func (p *posting) overflow(c *compiled, i *item) {
	a := &Attempt{
		Info: "too many deliveries wait for this callback", Time: p.now.UTC().Truncate(time.Millisecond),
		Remedy: "let its receiver answer, and in less time; what waits goes first",
	}
	if i.Number != 0 {
		r := c.result(Failed, 0)
		r.Latest = a
		p.put(resultsBucket, messageKey(i.Device, i.Number)+"/"+c.ID, r)
	}
	p.undelivered(c, i, a, 0)
}

// hand gives the commit to the store. The order of these calls is the order in which commits become durable.
func (p *posting) hand() {
	if p.err == nil {
		p.ticket = p.b.cfg.Store.Commit(&p.batch)
	}
}

// durable waits until the commit is durable.
func (p *posting) durable() error {
	if p.err != nil {
		return p.err
	}
	return p.ticket.Wait()
}

// wait waits until the commit is durable and lets the deliveries begin.
func (p *posting) wait() error {
	err := p.durable()
	p.follow(err)
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "the message was not kept")
	}
	return nil
}

// follow lets begin what follows from a commit, or takes it back.
func (p *posting) follow(err error) {
	for _, one := range p.owed {
		one.lane.committed(&one.item, one.place, err)
	}
	if err == nil {
		for _, due := range p.timers {
			p.b.clock.expect(due)
		}
	}
}
