package backend

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// cutter takes a picture of the disk, as a power cut would leave it, before each operation that writes to it, with what
// was answered by then.
type cutter struct {
	disk *vfs.MemFS

	mu    sync.Mutex
	luck  *rand.Rand
	acked map[uint64]bool // numbers of messages that Uplink answered
	cuts  []cut
}

type cut struct {
	disk  *vfs.MemFS
	acked map[uint64]bool
}

func (c *cutter) String() string { return "cutter" }

func (c *cutter) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cuts = append(c.cuts, cut{c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.luck.IntN(3) * 50, RNG: c.luck}), maps.Clone(c.acked)})
	}
	return nil
}

func (c *cutter) answered(m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked[m.Number] = true
}

// moody answers one request in two, and with downlinks.
type moody struct {
	mu   sync.Mutex
	luck *rand.Rand
}

func (m *moody) Deliver(context.Context, *delivery.Request) delivery.Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.luck.IntN(2) == 0 {
		return delivery.Outcome{Status: 500, Info: "Internal Server Error", At: time.Now()}
	}
	return delivery.Outcome{Status: 200, Info: "OK", OK: true, At: time.Now(), Answer: []byte(`{"4D3091":{"downlinkData":"0011223344556677"}}`)}
}

// TestCutAfterEveryOperation sends frames whose callbacks fail now and then, and cuts the power before each operation on the
// disk. Of what was answered by then nothing is lost: each message is in the list, is delivered or given up in the end, and
// a downlink that it asked for is settled. The store is well in itself after each cut.
func TestCutAfterEveryOperation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := &cutter{disk: vfs.NewCrashableMem(), luck: rand.New(rand.NewPCG(seed, 1)), acked: map[uint64]bool{}}
			cfg := Config{Sender: &moody{luck: rand.New(rand.NewPCG(seed, 2))}, Speed: 20_000}
			cutWorkload(t, c, cfg)
			for i, one := range c.cuts {
				if !t.Failed() {
					afterCut(t, fmt.Sprintf("cut %d of %d", i, len(c.cuts)), one, cfg)
				}
			}
		})
	}
}

func openCut(t *testing.T, fs vfs.FS, cfg Config) (*Backend, *pebble.Store) {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store = s
	b, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

func closeCut(t *testing.T, b *Backend, s *pebble.Store) {
	t.Helper()
	b.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// cutWorkload sets up a device type with a device and callbacks, and sends frames.
func cutWorkload(t *testing.T, c *cutter, cfg Config) {
	b, s := openCut(t, errorfs.Wrap(c.disk, c), cfg)
	b.Start()
	w := &world{T: t, Backend: b}
	kind := *NewDeviceType("type")
	kind.DownlinkMode = DownlinkCallback
	made, err := b.CreateDeviceType(kind)
	w.must(err)
	w.kind = made
	_, err = b.CreateDevice(t.Context(), Device{ID: dev, DeviceType: made.ID})
	w.must(err)
	w.callback(Callback{Body: "{seqNumber}"})
	w.asked(Callback{})
	w.acknowledged()
	var senders sync.WaitGroup
	for n := range 3 {
		senders.Go(func() {
			for i := range 4 {
				m, err := b.Uplink(context.Background(), Frame{Device: dev, Data: []byte{byte(n)}, Ack: i%2 == 0})
				if err != nil {
					t.Error(err)
					return
				}
				c.answered(m)
			}
		})
	}
	senders.Wait()
	settle(t, b)
	closeCut(t, b, s)
}

// settle waits until nothing is owed and no downlink is open.
func settle(t *testing.T, b *Backend) {
	t.Helper()
	began := time.Now()
	for range time.Tick(time.Millisecond) {
		timers, err := b.keys(t.Context(), timersBucket, "")
		if err != nil {
			t.Fatal(err)
		}
		if b.Counts().Pending.Load() == 0 && len(timers) == 0 {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("still owed: %d, timers %q", b.Counts().Pending.Load(), timers)
		}
	}
}

func afterCut(t *testing.T, what string, one cut, cfg Config) {
	b, s := openCut(t, one.disk, cfg)
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Errorf("%s: %q, %v", what, problems, err)
	}
	b.Start()
	settle(t, b)
	for n := range one.acked {
		l, err := b.Show(t.Context(), dev, n)
		switch {
		case err != nil:
			t.Errorf("%s: %v", what, err)
		case l.Arrow != Green && l.Arrow != Red:
			t.Errorf("%s: message %d is %s", what, n, l.Arrow)
		case l.Ack && (l.Downlink == nil || l.Downlink.InfoCode == Pending):
			t.Errorf("%s: the downlink of message %d is not settled: %+v", what, n, l.Downlink)
		}
	}
	closeCut(t, b, s)
}
