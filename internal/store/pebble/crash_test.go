package pebble

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/store"
)

const (
	crashQueues  = 8
	crashBuckets = "docs"
)

// witness remembers what tickets promised, and what was trimmed.
type witness struct {
	mu      sync.Mutex
	entries map[store.QueueID]map[uint64]string // acknowledged
	docs    map[string]uint64                   // acknowledged revisions
	written map[store.QueueID]uint64            // on disk before an acknowledged commit
}

func newWitness() *witness {
	return &witness{
		entries: map[store.QueueID]map[uint64]string{}, docs: map[string]uint64{},
		written: map[store.QueueID]uint64{},
	}
}

func (w *witness) clone() *witness {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := newWitness()
	for q, entries := range w.entries {
		c.entries[q] = maps.Clone(entries)
	}
	c.docs, c.written = maps.Clone(w.docs), maps.Clone(w.written)
	return c
}

func (w *witness) acknowledged(b *store.Batch, rev map[string]uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range b.Appends {
		for i, q := range a.Queues {
			if w.entries[q] == nil {
				w.entries[q] = map[uint64]string{}
			}
			w.entries[q][a.Seqs[i]] = string(a.Body)
		}
	}
	for key, r := range rev {
		w.docs[key] = max(w.docs[key], r)
	}
}

// What a completed ticket promised is there after a power cut, whatever part of the unsynced bytes survives; numbers
// are never given twice; a trim that reached the disk does not come back. (Invariant NoAckBeforeDurable.)
func TestCrash(t *testing.T) {
	seeds := uint64(3)
	if n := os.Getenv("THINGWIRE_CRASH_SEEDS"); n != "" { // of make crash; a seed here is as long as some hundred in broker
		all, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds += all / 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { crashRun(t, seed) })
	}
}

func crashRun(t *testing.T, seed uint64) {
	fs := vfs.NewCrashableMem()
	w := newWitness()
	rng := rand.New(rand.NewPCG(seed, 1))
	for life := range 3 {
		s := mustOpen(t, Options{Dir: "data", FS: fs})
		var all sync.WaitGroup
		for c := range 4 {
			mine := rand.New(rand.NewPCG(seed, uint64(10*life+c)))
			all.Go(func() { crashWork(t, s, w, c, mine) })
		}
		for range 8 {
			acknowledged := w.clone() // before the disk is cloned
			cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}
			checkCrash(t, fs.CrashClone(cfg), acknowledged)
		}
		all.Wait()
		acknowledged := w.clone()
		next := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs = next
		s = mustOpen(t, Options{Dir: "data", FS: fs})
		checkPromises(t, s, acknowledged)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func crashWork(t *testing.T, s *Store, w *witness, c int, rng *rand.Rand) {
	key := fmt.Sprintf("k%d", c)
	rev := uint64(0)
	if d, err := s.Get(t.Context(), crashBuckets, key); err == nil {
		rev = d.Rev
	}
	for i := range 60 {
		b := &store.Batch{}
		revs := map[string]uint64{}
		if rng.IntN(2) == 0 {
			b.Docs = append(b.Docs, store.DocOp{Bucket: crashBuckets, Key: key, Value: []byte("v"), If: store.Condition{Rev: rev}})
			if rev == 0 {
				b.Docs[0].If = store.Condition{Absent: true}
			}
			rev++
			revs[key] = rev
		}
		for range rng.IntN(20) {
			queues := make([]store.QueueID, 1+rng.IntN(crashQueues))
			for j := range queues {
				queues[j] = store.QueueID((rng.IntN(crashQueues) + j) % crashQueues)
			}
			body := fmt.Sprintf("%d %d %s", c, i, strings.Repeat("x", rng.IntN(600)))
			b.Appends = append(b.Appends, store.Append{Queues: queues, Body: []byte(body), Seqs: make([]uint64, len(queues))})
		}
		q := store.QueueID(rng.IntN(crashQueues))
		cursor, err := s.now().readCursor(q)
		if err != nil {
			t.Error(err)
		}
		if err := s.Commit(b).Wait(); err != nil {
			t.Error(err)
			return
		}
		w.acknowledged(b, revs)
		w.mu.Lock()
		w.written[q] = max(w.written[q], cursor.trimmed)
		w.mu.Unlock()
		crashTrim(t, s, w, rng)
		if rng.IntN(5) == 0 {
			s.now().ripen() // the time after which trims are written
		}
	}
}

func crashTrim(t *testing.T, s *Store, w *witness, rng *rand.Rand) {
	q := store.QueueID(rng.IntN(crashQueues))
	st, err := s.QueueStats(t.Context(), q)
	if err != nil || st.Last == 0 {
		return
	}
	seq := st.First + uint64(rng.IntN(int(st.Last-st.First+2))) - 1
	w.mu.Lock()
	for old := range w.entries[q] {
		if old <= seq {
			delete(w.entries[q], old)
		}
	}
	w.mu.Unlock()
	s.Trim(q, seq)
}

// checkCrash opens a disk as it was after a power cut, and checks the promises.
func checkCrash(t *testing.T, fs vfs.FS, w *witness) {
	t.Helper()
	s, err := Open(Options{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	checkPromises(t, s, w)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkPromises(t *testing.T, s *Store, w *witness) {
	t.Helper()
	audit(t, s)
	for q, entries := range w.entries {
		got, err := s.Read(t.Context(), q, 0, 1<<30, 1<<30, nil)
		if err != nil {
			t.Fatal(err)
		}
		there := map[uint64]string{}
		for _, e := range got {
			there[e.Seq] = string(e.Body)
		}
		st, err := s.QueueStats(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for seq, body := range entries {
			if seq > st.Last {
				t.Errorf("queue %d: number %d was given, the last one is now %d", q, seq, st.Last)
			}
			if found, ok := there[seq]; seq >= st.First && (!ok || found != body) {
				t.Errorf("queue %d: entry %d was acknowledged and is %q", q, seq, found)
			}
		}
		if st.First <= w.written[q] {
			t.Errorf("queue %d: trimmed to %d on disk, begins now at %d", q, w.written[q], st.First)
		}
	}
	for key, rev := range w.docs {
		if d, err := s.Get(t.Context(), crashBuckets, key); err != nil || d.Rev < rev {
			t.Errorf("document %s: revision %d was acknowledged, now %d, %v", key, rev, d.Rev, err)
		}
	}
}
