package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// bucketGroups has the queue of each shared subscription with a persistent member; the key is the share name, a slash,
// and the pattern.
const bucketGroups = "group"

type groupDocument struct {
	Queue uint64 `json:"queue"`
}

func groupRecord(name string, q store.QueueID) store.DocOp {
	v, err := json.Marshal(groupDocument{Queue: uint64(q)})
	if err != nil {
		panic(err) // numbers always marshal
	}
	return store.DocOp{Bucket: bucketGroups, Key: name, Value: v}
}

func readGroup(d store.Doc) (doc groupDocument, err error) {
	if err = json.Unmarshal(d.Value, &doc); err == nil && doc.Queue == 0 {
		err = errors.New("it has no queue")
	}
	if err != nil {
		err = fmt.Errorf("group %q in the store is damaged: %w", d.Key, err)
	}
	return doc, err
}

// offer notes what has become durable in a queue and leases it out. The group may have another queue by now.
func (g *Group) offer(id store.QueueID, ds []Delivery) {
	g.mu.Lock()
	if g.queue != id {
		g.mu.Unlock()
		return
	}
	g.q.last = max(g.q.last, ds[len(ds)-1].Seq)
	var touched links
	var done []uint64
	if g.b.limits.Rates.GroupPerMember > 0 {
		touched, done = g.overtake(ds)
	}
	g.mu.Unlock()
	touched.flush()
	g.ack(nil, id, done)
	g.wake()
}

// overtake leases live messages at once while those that waited follow at their rate, as AWS does. Under g.mu.
func (g *Group) overtake(ds []Delivery) (touched links, done []uint64) {
	for i := range ds {
		seq := ds[i].Seq
		if seq < g.q.next {
			continue // a drain has read it before it was offered
		}
		l, took, gone := g.leaseOne(ds[i].Message, seq)
		if !took || l == nil {
			return touched, done
		}
		if seq == g.q.next && !g.q.draining {
			g.advance(seq)
		} else {
			g.q.goesAhead(seq)
		}
		if gone {
			done = append(done, seq)
		}
		touched.add(l)
	}
	return touched, done
}

// links are those that are to be flushed.
type links []Link

func (ls *links) add(l Link) {
	if l != nil && !slices.Contains(*ls, l) {
		*ls = append(*ls, l)
	}
}

func (ls links) flush() {
	for _, l := range ls {
		l.Flush()
	}
}

// wake starts a drain unless one runs or there is nothing to lease out.
func (g *Group) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.q.draining || g.queue == 0 || len(g.returned) == 0 && g.q.next > g.q.last || !g.anyoneThere() {
		return
	}
	id := g.queue
	g.q.draining = g.b.work.start(func() { g.drain(id) })
}

func (g *Group) anyoneThere() bool {
	return slices.ContainsFunc(g.members, func(m *subscription) bool { return m.session.live.Load() != nil })
}

// drain leases out what a queue holds until there is no more, nobody takes any, or the queue is not the group's any
// more: its next one has a drain of its own.
func (g *Group) drain(id store.QueueID) {
	var entries []store.Entry
	for {
		after, limit, ok := g.drainFrom(id)
		if !ok {
			return
		}
		var err error
		entries, err = g.b.store.Read(context.Background(), id, after, limit, drainBytes, entries[:0])
		if err != nil {
			g.b.log.Error("queue of a shared subscription cannot be read", slog.String("group", g.name), slog.Any("err", err))
			g.stopDrain(id)
			return
		}
		more, leased := g.lease(id, entries, after)
		if !more {
			return
		}
		if pace := g.pace(); leased && pace > 0 && !g.b.rest(pace) {
			g.stopDrain(id)
			return
		}
	}
}

// pace is the time between two messages that waited: each member who is there has a rate.
func (g *Group) pace() time.Duration {
	per := g.b.limits.Rates.GroupPerMember
	if per == 0 {
		return 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	there := 0
	for _, m := range g.members {
		if m.session.live.Load() != nil {
			there++
		}
	}
	return time.Duration(float64(time.Second) / (per * float64(max(there, 1))))
}

// drainFrom says what to read next: leases that came back first, one by one, then on along the queue.
func (g *Group) drainFrom(id store.QueueID) (after uint64, limit int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.queue != id:
		return 0, 0, false
	case !g.anyoneThere():
	case len(g.returned) > 0:
		return g.returned[0] - 1, 1, true
	case g.q.next <= g.q.last:
		if g.b.limits.Rates.GroupPerMember > 0 {
			return g.q.next - 1, 1, true
		}
		return g.q.next - 1, drainEntries, true
	}
	g.q.draining = false
	return 0, 0, false
}

func (g *Group) stopDrain(id store.QueueID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue == id {
		g.q.draining = false
	}
}

// lease gives entries to members. It reports whether there is more to do, not when nobody takes any, and whether it gave
// any.
func (g *Group) lease(id store.QueueID, entries []store.Entry, after uint64) (more, leased bool) {
	now := millis(time.Now())
	var done []uint64
	var touched links
	more = true
	g.mu.Lock()
	if g.queue != id {
		g.mu.Unlock()
		return false, false
	}
	if len(entries) == 0 { // trimmed meanwhile
		g.advance(after + 1)
	}
	for i := range entries {
		var m Message
		seq := entries[i].Seq
		if g.wentAhead(seq) {
			g.advance(seq)
			continue
		}
		if _, err := decodeBody(entries[i].Body, &m); err != nil || m.Expires != 0 && m.Expires <= now {
			g.b.noteExpired(g.owner, m.Topic)
			done = append(done, seq)
			g.advance(seq)
			continue
		}
		l, took, gone := g.leaseOne(&m, seq)
		if !took {
			more = false
			g.q.draining = false
			break
		}
		g.advance(seq)
		if gone {
			done = append(done, seq)
		}
		touched.add(l)
	}
	g.mu.Unlock()
	touched.flush()
	g.ack(nil, id, done)
	return more, len(touched) > 0
}

// wentAhead reports whether a message was leased before its turn, and not the one that has come back.
func (g *Group) wentAhead(seq uint64) bool {
	if len(g.returned) > 0 && g.returned[0] == seq {
		return false
	}
	_, ok := g.q.ahead[seq]
	delete(g.q.ahead, seq)
	return ok
}

// advance notes that a sequence number is leased or done.
func (g *Group) advance(seq uint64) {
	if len(g.returned) > 0 && g.returned[0] == seq {
		g.returned = g.returned[1:]
		return
	}
	g.q.next = max(g.q.next, seq+1)
}

// leaseOne gives one message to a member with room. gone says that no acknowledgement will come: the member takes QoS
// 0, or nobody may receive it.
func (g *Group) leaseOne(m *Message, seq uint64) (l Link, took, gone bool) {
	n := len(g.members)
	at := int(seq) % max(n, 1)
	may := false
	for i := range n {
		sub := g.members[(at+i)%n]
		c := sub.session.live.Load()
		if c == nil {
			continue
		}
		if ok, _ := g.b.mayReceiveShared(c, sub, m.Topic); !ok {
			continue
		}
		may = true
		if !c.mayTake() {
			c.readyLater()
			continue
		}
		d := [1]Delivery{{Message: m, QoS: min(m.QoS, sub.qos), Seq: seq, Group: g}}
		if d[0].QoS == 0 {
			d[0].Seq, d[0].Group = 0, nil
		}
		if n, _ := c.link.Deliver(d[:], false); n == 0 {
			continue
		}
		g.b.counts.Delivered.Add(1)
		if d[0].QoS == 0 {
			return c.link, true, true
		}
		g.leases[seq] = c
		return c.link, true, false
	}
	return nil, !may && g.anyoneThere(), true
}

// ack says that a member is done with messages of the group's queue; without a connection it is the group itself that is
// done with messages of the queue id.
func (g *Group) ack(c *Connection, id store.QueueID, seqs []uint64) {
	if len(seqs) == 0 {
		return
	}
	g.mu.Lock()
	if g.queue == 0 || c == nil && g.queue != id {
		g.mu.Unlock()
		return
	}
	before := g.q.trimmed
	for _, seq := range seqs {
		if c != nil && g.leases[seq] != c {
			continue // it went to somebody else meanwhile
		}
		delete(g.leases, seq)
		g.q.ack(seq)
	}
	id = g.queue
	trimmed := g.q.trimmed
	g.q.forgetAhead(before)
	g.mu.Unlock()
	if trimmed == before {
		return
	}
	g.forget(int64(trimmed - before))
	g.b.store.Trim(id, trimmed)
}

// comeBack takes back the leases of a connection that ended.
func (g *Group) comeBack(c *Connection) {
	g.mu.Lock()
	for seq, holder := range g.leases {
		if holder == c {
			delete(g.leases, seq)
			g.returned = append(g.returned, seq)
		}
	}
	slices.Sort(g.returned)
	g.mu.Unlock()
	g.wake()
}

// AckShared says that the client has acknowledged messages that were leased to it, as Delivery.Group and Seq name them.
func (c *Connection) AckShared(g *Group, seqs []uint64) {
	if g == c.b.direct {
		c.settleDirect(seqs, nil)
		return
	}
	g.ack(c, 0, seqs)
}
