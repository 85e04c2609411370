package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store/pebble"
)

// TestSoak is an hour of churn, compressed: sessions come, are sent messages while they are away, come back, acknowledge
// and go; some end, some are taken over. Memory, disk and goroutines stay where they were after the first tenth. It is
// short unless THINGWIRE_SOAK_ROUNDS says how many rounds of 4,000 messages it has (make soak: 900, a message per
// millisecond for an hour).
func TestSoak(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	if n := os.Getenv("THINGWIRE_SOAK_ROUNDS"); n != "" {
		var err error
		if rounds, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	s, err := pebble.Open(pebble.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	b := openTest(t, s, OpenLimits())
	var early usage
	for round := range rounds {
		soakRound(t, b, round)
		now := measure(t, dir)
		if round == rounds/10 {
			early = now
			t.Logf("after round %d: %+v", round, now)
		}
		if round <= rounds/10 {
			continue
		}
		if now.goroutines > early.goroutines+50 || now.heap > 2*early.heap+64<<20 || now.disk > 2*early.disk+256<<20 {
			t.Fatalf("round %d: %+v, it was %+v", round, now, early)
		}
	}
	t.Logf("at the end: %+v", measure(t, dir))
	closeDisk(t, b, s)
}

type usage struct {
	goroutines int
	heap, disk int64
}

func measure(t *testing.T, dir string) usage {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{goroutines: runtime.NumGoroutine(), heap: int64(m.HeapAlloc)}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil { // else it was deleted meanwhile
			u.disk += info.Size()
		}
	}
	return u
}

// soakRound sends 400 messages to each of ten sessions, of which three are new and end with it.
func soakRound(t *testing.T, b *Broker, round int) {
	t.Helper()
	const sessions, per, size = 10, 400, 1000
	id := func(i int) string {
		if i < 3 {
			return fmt.Sprintf("passing-%d-%d", round, i)
		}
		return fmt.Sprintf("steady-%d", i)
	}
	for i := range sessions {
		c, _ := connect(t, b, ConnectRequest{Caller: anybody(id(i)), Link: newLink(), Expiry: time.Hour})
		subscribe(t, c, SubscribeRequest{Filter: "soak/#", QoS: 1})
		if i%2 == 0 {
			c.Close(Cause{Reason: ConnectionLost}) // the others are taken over
		}
	}
	by := anybody("publisher")
	done := make(chan struct{}, 1)
	p := &Batch{Done: func(*Batch) { done <- struct{}{} }}
	for range per / 100 {
		for k := range 100 {
			m := p.Add()
			m.Topic, m.Payload, m.QoS, m.Retain = fmt.Sprint("soak/", k), make([]byte, size), 1, k == 0
		}
		if !b.Publish(by, p) {
			<-done
		}
		p.Reset()
	}
	for i := range sessions {
		link := newLink()
		c, present := connect(t, b, ConnectRequest{Caller: anybody(id(i)), Link: link, Expiry: time.Hour})
		if !present {
			t.Fatalf("%s is not there", id(i))
		}
		b.work.wg.Wait()
		var seqs []uint64
		for _, r := range link.take() {
			if r.seq > 0 {
				seqs = append(seqs, r.seq)
			}
		}
		if len(seqs) != per {
			t.Fatalf("%s received %d messages", id(i), len(seqs))
		}
		c.Ack(seqs)
		if i < 3 {
			none := time.Duration(0)
			c.Disconnect(&none)
		}
		c.Close(Cause{Reason: ClientInitiated})
	}
	b.work.wg.Wait()
}
