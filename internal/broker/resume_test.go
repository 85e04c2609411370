package broker

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// badLog is a disk whose logs cannot be synced while it is broken: what was written to them may be there nevertheless.
type badLog struct{ broken atomic.Bool }

func (b *badLog) String() string { return "bad log" }

func (b *badLog) MaybeError(op errorfs.Op) error {
	if b.broken.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) && strings.HasSuffix(op.Path, ".log") {
		return syscall.EIO
	}
	return nil
}

// A store that fails and goes on by itself is a refusal to publishers and nothing else: connections stay, what was
// acknowledged comes to everybody once and in order, what was refused comes to nobody, and no session waits for a number
// that nobody has.
func TestSessionsLiveThroughADegradedStore(t *testing.T) {
	t.Parallel()
	disk := &badLog{}
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), disk), Retry: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b := openTest(t, s, OpenLimits())
	defer closeDisk(t, b, s)
	here, shared := newLink(), newLink()
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("here"), Link: here, Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	g, _ := connect(t, b, ConnectRequest{Caller: anybody("shared"), Link: shared, Expiry: time.Hour})
	subscribe(t, g, SubscribeRequest{Filter: "$share/g/x", QoS: 1})
	away, _ := connect(t, b, ConnectRequest{Caller: anybody("away"), Link: newLink(), Expiry: time.Hour})
	subscribe(t, away, SubscribeRequest{Filter: "x", QoS: 1})
	away.Close(Cause{Reason: ConnectionLost})

	var want, got []string
	publisher := anybody("publisher")
	n := 0
	publish := func() error {
		n++
		payload := fmt.Sprint(n)
		err := publishOne(b, publisher, &Message{Topic: "x", Payload: []byte(payload), QoS: 1})
		if err == nil {
			want = append(want, payload)
		} else if !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s was refused: %v", payload, err)
		}
		return err
	}
	for round := range 5 {
		for range 3 {
			if err := publish(); err != nil {
				t.Fatal(err)
			}
		}
		disk.broken.Store(true)
		for range 3 {
			if publish() == nil {
				t.Fatal("acknowledged without a disk")
			}
		}
		if _, _, err := b.Connect(ConnectRequest{Caller: anybody(fmt.Sprint("new ", round)), Protocol: 5, Link: newLink(), Expiry: time.Hour}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a new session: %v", err)
		}
		if err := publishOne(b, publisher, &Message{Topic: "x", Payload: []byte("clean")}); err != nil {
			t.Errorf("QoS 0: %v", err)
		}
		disk.broken.Store(false)
		for publish() != nil {
		}
		b.work.wg.Wait()
		var seqs []uint64
		for _, r := range here.take() {
			if r.seq > 0 {
				got, seqs = append(got, r.payload), append(seqs, r.seq)
			}
		}
		c.Ack(seqs)
	}
	if !slices.Equal(got, want) {
		t.Errorf("received %q, acknowledged were %q", got, want)
	}
	var leased []string
	for _, r := range shared.take() {
		if r.seq > 0 {
			leased = append(leased, r.payload)
		}
	}
	if !slices.Equal(leased, want) {
		t.Errorf("the group received %q, acknowledged were %q", leased, want)
	}
	back := newLink()
	if _, present := connect(t, b, ConnectRequest{Caller: anybody("away"), Link: back, Expiry: time.Hour}); !present {
		t.Error("the session is gone")
	}
	b.work.wg.Wait()
	if got := strings.Fields(payloads(back.take())); !slices.Equal(got, want) {
		t.Errorf("after its return it received %q, acknowledged were %q", got, want)
	}
	if n := c.session.messages.Load(); n != 0 {
		t.Errorf("room for %d messages is taken", n)
	}
	if k := here.kicked(); len(k) > 0 {
		t.Errorf("kicked: %+v", k)
	}
}
