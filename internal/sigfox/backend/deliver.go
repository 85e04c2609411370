package backend

import (
	"errors"
	"log/slog"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// retryAfter are the pauses between the attempts of a delivery (reference, section 6).
var retryAfter = [...]time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute}

// batchWindow is what one batch gathers.
const batchWindow = time.Second

// groups are the items that go together: those of a batch that are due at the same moment after as many attempts, else
// each alone.
func groups(items []*item, batch bool) func(yield func([]*item) bool) {
	return func(yield func([]*item) bool) {
		for len(items) > 0 {
			n := 1
			for batch && n < len(items) && items[n].due.Equal(items[0].due) && items[n].Tried == items[0].Tried {
				n++
			}
			if !yield(items[:n]) {
				return
			}
			items = items[n:]
		}
	}
}

// deliver makes the deliveries of a group, which the lane has under way, and keeps what they came to. What it cannot keep
// stays owed: it gives it back.
func (b *Backend) deliver(l *lane, group []*item) (left []*item) {
	c, err := b.callback(b.ctx, group[0].DeviceType, l.callback)
	if err != nil {
		b.cannot("read", l, err)
		return group
	}
	if c == nil {
		return b.keep(l, group, func(p *posting, i *item) { p.giveUp(l, i) })
	}
	inOrder(group)
	for len(group) > 0 {
		r, n, err := c.request(group)
		part := group[:n]
		group = group[n:]
		o := delivery.Outcome{At: b.now()}
		if err == nil {
			o = b.cfg.Sender.Deliver(b.ctx, r)
		} else {
			o.Info, o.Remedy = unsent(err)
		}
		if b.ctx.Err() != nil || o.Interrupted {
			return append(left, append(part, group...)...) // the backend closes
		}
		if c.Kind() == template.Bidir {
			for _, i := range part {
				b.answered(c, i, &o)
			}
		}
		left = append(left, b.record(l, c, part, &o, err != nil)...)
	}
	return left
}

// request renders a group, or as much of it as one request takes.
func (k *compiled) request(group []*item) (r *delivery.Request, n int, err error) {
	if k.Channel == ChannelBatch {
		return k.batch(group)
	}
	r, err = k.render(k.values(group[0]))
	return r, 1, err
}

// unsent is why nothing was sent, in the words of the reference, section 6.
func unsent(err error) (info, remedy string) {
	if errors.Is(err, template.ErrNotJSON) {
		return "JSON body could not be evaluated", "look at the body of the callback: with these values it is not JSON; text needs quotes"
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Cause, f.Remedy
	}
	return err.Error(), ""
}

// record keeps what an attempt came to, of each delivery that was part of it.
func (b *Backend) record(l *lane, c *compiled, part []*item, o *delivery.Outcome, unsendable bool) (left []*item) {
	b.counts.attempted(o.OK)
	left = b.keep(l, part, func(p *posting, i *item) {
		switch {
		case o.OK:
			p.delivered(c, i, o)
		case unsendable || i.Tried >= len(retryAfter): // the same words do not become JSON by waiting
			p.failed(c, i, o)
		default:
			p.retry(l, c, i, o)
		}
	})
	b.used(l, c, part[0], o)
	return left
}

// keep commits what is decided about deliveries, each of which is not owed as it was any more.
func (b *Backend) keep(l *lane, items []*item, decide func(*posting, *item)) (left []*item) {
	p := b.post(time.Now())
	for _, i := range items {
		p.remove(dueBucket, i.key)
		decide(p, i)
	}
	p.hand()
	err := p.durable()
	p.follow(err)
	if err != nil {
		b.cannot("write", l, err)
		return items
	}
	l.settled(len(items))
	return nil
}

func (b *Backend) cannot(do string, l *lane, err error) {
	if b.ctx.Err() == nil {
		b.log.Error("sigfox: cannot "+do+" what became of a delivery; it is made again", slog.String("callback", l.callback), slog.Any("err", err))
	}
}

// outcome writes the result of a delivery beside its message, as long as the message is kept.
func (p *posting) outcome(c *compiled, i *item, state string, a *Attempt, next time.Time) {
	if i.Number == 0 || !p.b.kept(i) {
		return
	}
	r := c.result(state, i.Tried+1)
	r.First, r.Latest, r.Next = i.First, a, next
	p.put(resultsBucket, messageKey(i.Device, i.Number)+"/"+c.ID, r)
}

// kept reports whether the message of a delivery is still in the list. When that cannot be read it is.
func (b *Backend) kept(i *item) bool {
	_, err := b.cfg.Store.Get(b.ctx, messagesBucket, messageKey(i.Device, i.Number))
	return !fault.Is(err, fault.NotFound)
}

func (p *posting) delivered(c *compiled, i *item, o *delivery.Outcome) {
	p.outcome(c, i, Delivered, attemptOf(o), time.Time{})
}

func (p *posting) retry(l *lane, c *compiled, i *item, o *delivery.Outcome) {
	due := p.now.Add(p.b.scaled(retryAfter[i.Tried]))
	a := attemptOf(o)
	p.outcome(c, i, Retrying, a, due.UTC().Truncate(time.Millisecond))
	again := &posted{item: *i, lane: l}
	again.Tried++
	if again.First == nil {
		again.First = a
	}
	again.due, again.key = due, dueKey(c.ID, due, i.Device, i.Number)
	l.admit(again.key, false)
	p.put(dueBucket, again.key, again.debt)
	p.owed = append(p.owed, again)
	p.b.counts.Retries.Add(1)
}

// failed gives a delivery up and lists it as not delivered.
func (p *posting) failed(c *compiled, i *item, o *delivery.Outcome) {
	a := attemptOf(o)
	p.outcome(c, i, Failed, a, time.Time{})
	p.undelivered(c, i, a, i.Tried+1)
}

// giveUp ends what is owed to a callback that is gone or disabled. What was said of it before says whose it was.
func (p *posting) giveUp(l *lane, i *item) {
	p.b.counts.GivenUp.Add(1)
	if i.Number == 0 || !p.b.kept(i) {
		return
	}
	key := messageKey(i.Device, i.Number) + "/" + l.callback
	r := &Result{Callback: l.callback, Kind: "callback"}
	if old, _, err := documents.Load[Callback](p.b.ctx, p.b.cfg.Store, callbacksBucket, i.DeviceType+"/"+l.callback); err == nil {
		r = (&compiled{Callback: *old}).result("", 0)
	} else if before, _, err := documents.Load[Result](p.b.ctx, p.b.cfg.Store, resultsBucket, key); err == nil {
		r = before
	}
	r.State, r.Attempts, r.First, r.Next = Failed, i.Tried, i.First, time.Time{}
	r.Latest = &Attempt{Info: "the callback was deleted or disabled before it was delivered", Time: p.b.now()}
	p.put(resultsBucket, key, r)
}
