package backend

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

// busiest counts how many deliveries are under way at the same time, per URL.
type busiest struct {
	mu        sync.Mutex
	now, most map[string]int
}

func (b *busiest) add(url string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now[url] += n
	b.most[url] = max(b.most[url], b.now[url])
}

// Thousands of messages whose receiver hangs are tried at their times without hurry and without end, and whoever else has
// something to deliver notices nothing: also new messages of the same callback begin at once.
func TestThousandsInRetry(t *testing.T) {
	const messages = 3_000
	bubble(t, Config{KeepMessages: 2 * messages}, func(w *world) {
		hung := w.callback(Callback{URL: "https://hangs.example.org/", Body: "{seqNumber}"})
		load := &busiest{now: map[string]int{}, most: map[string]int{}}
		w.receiver.set(func(ctx context.Context, q *delivery.Request) delivery.Outcome {
			load.add(q.URL, 1)
			defer load.add(q.URL, -1)
			if strings.Contains(q.URL, "hangs") {
				return hangs(10*time.Second, says(0, "Timeout", ""))(ctx, q)
			}
			return delivery.Outcome{Status: 200, Info: "OK"}
		})
		before := memory()
		for range messages {
			w.uplink("01")
		}
		synctest.Wait()
		grown := memory() - before - messages*4096 // what the store in memory holds, generously
		if grown > 32<<20 {
			t.Errorf("%d MB in memory", grown>>20)
		}
		if n := load.most["https://hangs.example.org/"]; n > directPerLane+storedPerLane {
			t.Errorf("%d deliveries to one receiver at the same time", n)
		}
		w.callback(Callback{URL: "https://well.example.org/", Body: "{seqNumber}"})
		began := time.Now()
		l := w.show(w.uplink("02"))
		for _, r := range l.Results {
			if r.Callback != hung.ID {
				w.want("the other callback", r.Arrow, Green)
				w.want("took", r.Latest.Time.Sub(began).Truncate(time.Millisecond), 0*time.Second)
			}
		}
		w.want("pending", w.Counts().Pending.Load(), int64(messages+1))
		w.after(30 * time.Minute)
		w.receiver.set(says(200, "OK", ""))
		w.restart()
		w.after(10 * time.Hour)
		w.want("pending", w.Counts().Pending.Load(), int64(0))
		w.want("owed", w.docs(dueBucket), 0)
		list, _, err := w.Messages(w.Context(), dev, MessageQuery{}, Page{Limit: 2 * messages})
		w.must(err)
		w.want("messages", len(list), messages+1)
		ends := map[string]int{}
		for _, l := range list {
			ends[l.Arrow]++
		}
		if ends[Green]+ends[Red] != messages+1 || ends[Green] == 0 {
			t.Errorf("ends: %v", ends)
		}
		w.want("listed as not delivered", w.docs(undeliveredBucket), ends[Red])
	})
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Whoever hangs takes none of the places of those who answer, however many hang.
func TestManyCallbacksThatHang(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		for i := range 20 {
			w.callback(Callback{URL: fmt.Sprintf("https://hangs%d.example.org/", i)})
		}
		w.receiver.set(func(ctx context.Context, q *delivery.Request) delivery.Outcome {
			if strings.Contains(q.URL, "hangs") {
				return hangs(10*time.Second, says(0, "Timeout", ""))(ctx, q)
			}
			return delivery.Outcome{Status: 200, Info: "OK"}
		})
		for range 40 {
			w.uplink("")
		}
		w.after(11 * time.Second) // now they are known to hang
		for range 40 {
			w.uplink("")
		}
		well := w.callback(Callback{URL: "https://well.example.org/"})
		began := time.Now()
		l := w.show(w.uplink(""))
		for _, r := range l.Results {
			if r.Callback == well.ID {
				w.want("arrow", r.Arrow, Green)
				w.want("took", r.Latest.Time.Sub(began).Truncate(time.Millisecond), 0*time.Second)
			}
		}
		w.receiver.set(says(200, "OK", ""))
		w.after(time.Hour)
		w.want("pending", w.Counts().Pending.Load(), int64(0))
	})
}

// More than a callback may be owed is listed as not delivered at once.
func TestTooMuchIsOwed(t *testing.T) {
	bubble(t, Config{maxDebts: 10}, func(w *world) {
		w.callback(Callback{})
		w.receiver.set(says(500, "Internal Server Error", ""))
		var last *Message
		for range 15 {
			last = w.uplink("")
			synctest.Wait()
		}
		l := w.show(last)
		w.want("arrow", l.Arrow, Red)
		w.want("info", l.Results[0].Latest.Info, "too many deliveries wait for this callback")
		w.want("owed", w.docs(dueBucket), 10)
		w.want("listed", w.docs(undeliveredBucket), 5)
		w.restart()
		w.want("pending", w.Counts().Pending.Load(), int64(10))
		w.after(time.Hour)
		w.want("listed", w.docs(undeliveredBucket), 15)
	})
}

// The list of what was not delivered is bounded, and the newest stay.
func TestUndeliveredLimit(t *testing.T) {
	bubble(t, Config{KeepUndelivered: 3}, func(w *world) {
		w.callback(Callback{})
		w.receiver.set(says(500, "Internal Server Error", ""))
		for range 5 {
			w.uplink("")
			w.after(time.Second)
		}
		w.after(4 * time.Minute)
		w.restart() // the numbers go on
		w.after(time.Hour)
		list, next, err := w.NotDelivered(w.Context(), UndeliveredQuery{DeviceType: w.kind.ID}, Page{Limit: 2})
		w.must(err)
		w.want("newest", list[0].Parameters["seqNumber"], "4")
		list, next, err = w.NotDelivered(w.Context(), UndeliveredQuery{DeviceType: w.kind.ID}, Page{Limit: 2, After: next})
		w.must(err)
		w.want("oldest", list[0].Parameters["seqNumber"], "2")
		w.want("next", next, "")
	})
}
