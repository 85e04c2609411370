package backend

import (
	"log/slog"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/store/documents"
)

// lane is the way out of one callback.
type lane struct {
	b        *Backend
	all      *lanes
	callback string
	stored   chan struct{} // places of debts that were read from the store

	mu      sync.Mutex
	busy    map[string]struct{} // keys of debts that are under way or have a place
	direct  int                 // of them, those that came from memory
	debts   int                 // in the store, or on their way there
	cursor  string              // debts up to this key were taken
	ended   map[string]struct{} // while debts are read: keys that were released meanwhile, which the reader may still see
	lowest  string              // while debts are read: the lowest key that came meanwhile, which it may not see
	next    time.Time           // when the timer rings, zero if it is not set
	timer   *time.Timer
	pulling bool
	again   bool // something came while it was pulling
	state   callbackState
	until   time.Time // end of the second that a batch gathers
}

// places are those that the lane's deliveries take, for the callback as it is now. The caller holds the lane.
func (l *lane) places() chan struct{} {
	if l.state.Dead {
		return l.all.sick
	}
	return l.all.well
}

// placesNow are places for who does not hold the lane.
func (l *lane) placesNow() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.places()
}

// full reports whether as many deliveries are owed as may be.
func (l *lane) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.debts >= l.b.cfg.maxDebts
}

// admit counts a debt that is about to be committed. With now it keeps a place, if there is one, so that the delivery
// begins from memory as soon as the debt is durable.
func (l *lane) admit(key string, now bool) (place chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debts++
	l.b.counts.Pending.Add(1)
	if !now || l.direct >= directPerLane {
		return nil
	}
	places := l.places()
	select {
	case places <- struct{}{}:
	default:
		return nil // nobody waits here: who has no place is found in the store
	}
	l.direct++
	l.busy[key] = struct{}{}
	return places
}

// committed lets the delivery begin that admit counted, or forgets it.
func (l *lane) committed(i *item, place chan struct{}, err error) {
	if err != nil {
		l.settled(1)
	}
	switch {
	case place != nil && err == nil && l.all.begin():
		go func() {
			defer l.all.work.Done()
			left := l.b.deliver(l, []*item{i})
			<-place
			l.release(true, i)
			l.postpone(left)
		}()
	case place != nil:
		<-place
		l.release(true, i)
	case err == nil:
		l.expect(i.key, i.due)
	}
}

// take waits for a place; not ok when the backend closes. A callback that died meanwhile waits among the others that did.
func (l *lane) take() (places chan struct{}, ok bool) {
	for {
		places = l.placesNow()
		select {
		case places <- struct{}{}:
		case <-l.b.ctx.Done():
			return nil, false
		}
		if places == l.placesNow() {
			return places, true
		}
		<-places
	}
}

// settled counts debts that are paid or moved away.
func (l *lane) settled(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.debts -= n
	l.b.counts.Pending.Add(-int64(n))
}

// postpone comes back to deliveries whose outcome could not be kept.
func (l *lane) postpone(items []*item) {
	for _, i := range items {
		l.expect(i.key, time.Now().Add(l.b.cfg.Again))
	}
}

// release ends what is under way.
func (l *lane) release(direct bool, items ...*item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range items {
		delete(l.busy, i.key)
		if l.ended != nil {
			l.ended[i.key] = struct{}{}
		}
	}
	if direct {
		l.direct -= len(items)
	}
}

// expect makes sure that the debt of a key is looked at when it is due. An empty key is whatever is in the store.
func (l *lane) expect(key string, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back(key)
	if l.ended != nil && key != "" && (l.lowest == "" || key < l.lowest) {
		l.lowest = key
	}
	l.ring(due)
}

// back takes the cursor below a key. The caller holds the lane.
func (l *lane) back(key string) {
	if key != "" && key <= l.cursor {
		l.cursor = key[:len(key)-1] // sorts before it, and behind what is lower but for its nearest neighbours
	}
}

// ring sets the timer to a time, unless it rings before. The caller holds the lane.
func (l *lane) ring(due time.Time) {
	wait := time.Until(due)
	if wait <= 0 {
		l.again = true
		l.startPull()
		return
	}
	if !l.next.IsZero() && !due.Before(l.next) {
		return
	}
	l.next = due
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.rang)
		return
	}
	l.timer.Reset(wait)
}

func (l *lane) rang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = time.Time{}
	l.again = true
	l.startPull()
}

// startPull starts the one goroutine that reads debts. The caller holds the lane.
func (l *lane) startPull() {
	if l.pulling || !l.all.begin() {
		return
	}
	l.pulling = true
	go func() {
		defer l.all.work.Done()
		for l.pull() {
		}
	}()
}

// pull takes a page of debts that are due and lets their deliveries begin. It reports whether there is more to do.
func (l *lane) pull() (more bool) {
	l.mu.Lock()
	after := l.cursor
	l.again = false
	l.ended, l.lowest = map[string]struct{}{}, ""
	l.mu.Unlock()
	page, err := l.read(after)
	if err != nil {
		l.b.cannot("read", l, err)
		l.claim(nil, after)
		page.next = time.Now().Add(l.b.cfg.Again)
	}
	for group := range groups(page.mine, page.batch) {
		if !l.send(group) {
			return l.rest(time.Time{}, false) // the backend closes
		}
	}
	return l.rest(page.next, page.full)
}

// rest ends the pulling, unless there is more.
func (l *lane) rest(next time.Time, more bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (more || l.again) && l.b.ctx.Err() == nil {
		return true
	}
	l.pulling = false
	if !next.IsZero() {
		l.ring(next)
	}
	return false
}

// page is what a lane reads at a time.
type page struct {
	mine  []*item   // debts that are due and not under way
	batch bool      // its callback takes batches
	full  bool      // there may be more of them
	next  time.Time // when the first is due that is not, zero for none
}

// read gives the debts behind a key.
func (l *lane) read(after string) (p page, err error) {
	prefix, now := l.callback+"/", time.Now()
	last, n := after, 0
	var found []*item
	for d, err := range l.b.cfg.Store.List(l.b.ctx, dueBucket, prefix, after, readAhead) {
		if err != nil {
			return p, err
		}
		_, due, ok := dueOf(d.Key)
		if ok && due.After(now) {
			p.next = due
			break
		}
		last = d.Key
		n++
		one, err := documents.Decode[debt](dueBucket, d)
		if err != nil || !ok {
			l.b.log.Error("sigfox: a delivery that is owed cannot be read", slog.String("key", d.Key), slog.Any("err", err))
			continue // check names it
		}
		found = append(found, &item{debt: *one, callback: l.callback, key: d.Key, due: due})
	}
	p.full = n == readAhead
	if len(found) > 0 {
		c, err := l.b.callback(l.b.ctx, found[0].DeviceType, l.callback)
		if err != nil {
			return p, err
		}
		p.batch = c != nil && c.Channel == ChannelBatch
	}
	p.mine = l.claim(found, last)
	return p, nil
}

// claim takes the debts that nobody else has, or had, under way, and moves the cursor.
func (l *lane) claim(found []*item, last string) []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := found[:0]
	for _, i := range found {
		_, taken := l.busy[i.key]
		_, over := l.ended[i.key]
		if !taken && !over {
			l.busy[i.key] = struct{}{}
			mine = append(mine, i)
		}
	}
	l.cursor = last
	l.back(l.lowest)
	l.ended = nil
	return mine
}

// send waits for a place and lets the delivery of a group begin; false when the backend closes.
func (l *lane) send(group []*item) bool {
	select {
	case l.stored <- struct{}{}:
	case <-l.b.ctx.Done():
		l.release(false, group...)
		return false
	}
	places, ok := l.take()
	if !ok || !l.all.begin() {
		l.release(false, group...)
		return false
	}
	go func() {
		defer l.all.work.Done()
		left := l.b.deliver(l, group)
		l.release(false, group...)
		l.postpone(left)
		<-places
		<-l.stored
	}()
	return true
}

// window is when the second ends in which a batch gathers what comes now.
func (l *lane) window(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.After(now) {
		l.until = now.Add(l.b.scaled(batchWindow)).Truncate(time.Millisecond)
	}
	return l.until
}
