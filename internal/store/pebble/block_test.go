package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
)

// blockOf encodes a block.
func blockOf(before mark, bodies ...string) []byte {
	v := appendBlockHead(nil, before, len(bodies))
	end := 0
	for _, body := range bodies {
		end += len(body)
		v = binary.LittleEndian.AppendUint16(v, uint16(end))
	}
	return append(v, strings.Join(bodies, "")...)
}

func TestBlockRoundTrip(t *testing.T) {
	for _, c := range []struct {
		before mark
		bodies []string
	}{
		{mark{}, []string{""}},
		{mark{0, 0, 0}, []string{"one", "", "three"}},
		{mark{1 << 50, 1 << 60, 300}, []string{"a", "b"}},
		{mark{9, 7, 0}, []string{strings.Repeat("x", maxBlockBytes-1), "y"}},
		{mark{9, 7, 0}, slices.Repeat([]string{"z"}, maxBlockEntries)},
	} {
		last := c.before.seq + uint64(len(c.bodies))
		_, r, err := decodeRun(entryKey(3, last), blockOf(c.before, c.bodies...))
		if err != nil || r.whole() != nil || r.first() != c.before.seq+1 || r.count() != uint64(len(c.bodies)) {
			t.Fatalf("%d entries: %v, from %d, %d", len(c.bodies), err, r.first(), r.count())
		}
		m := c.before
		for i, want := range c.bodies {
			seq := r.first() + uint64(i)
			if got := r.before(seq); got != m {
				t.Fatalf("before entry %d: %+v, want %+v", seq, got, m)
			}
			if body, err := r.bodyOf(seq); err != nil || string(body) != want {
				t.Fatalf("entry %d: %q, %v", seq, body, err)
			}
			m.seq, m.bytes = seq, m.bytes+uint64(len(want))
		}
		if got := r.behind(); got != m {
			t.Errorf("behind: %+v, want %+v", got, m)
		}
	}
}

// fuzzBlock reads any bytes as a block; see FuzzKeys.
func fuzzBlock(t *testing.T, key, v []byte) {
	q, r, err := decodeRun(key, v)
	if err != nil || r.ends == nil {
		return
	}
	bad := r.whole()
	var bodies []string
	for seq := r.first(); seq <= r.last; seq++ {
		body, err := r.bodyOf(seq)
		if err != nil && bad == nil {
			t.Errorf("entry %d of a whole block: %v", seq, err)
		}
		_ = r.before(seq)
		bodies = append(bodies, string(body))
	}
	if bad != nil {
		return
	}
	again, r2, err := decodeRun(key, blockOf(r.before(r.first()), bodies...))
	if err != nil || again != q || r2.behind() != r.behind() || r2.before(r2.last) != r.before(r.last) || !bytes.Equal(r2.body, r.body) {
		t.Errorf("block %x: %+v, then %+v, %v", v, r, r2, err)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(uint64(3), blockOf(mark{}, "one", "", "three"))
	f.Add(uint64(1<<40), blockOf(mark{0, 1 << 40, 9}, "one", "two"))
	f.Add(uint64(2), append(blockOf(mark{}, "one"), blockOf(mark{}, "two", "three")...))
	f.Fuzz(func(t *testing.T, last uint64, v []byte) { fuzzBlock(t, entryKey(1, last), v) })
}

// together commits batches so that they are one group.
func together(t *testing.T, s *Store, batches ...*store.Batch) error {
	t.Helper()
	s.mu.Lock()
	for _, b := range batches {
		s.waiting = append(s.waiting, waiter{batch: b, err: b.Check()})
	}
	s.life.work.Signal()
	s.mu.Unlock()
	var errs []error
	for _, b := range batches {
		errs = append(errs, b.Ticket().Wait())
	}
	return errors.Join(errs...)
}

// appendsOf is a batch with one body for each queue.
func appendsOf(body string, queues ...store.QueueID) *store.Batch {
	return &store.Batch{Appends: []store.Append{{Queues: queues, Body: []byte(body), Seqs: make([]uint64, len(queues))}}}
}

// many is a batch of n bodies of that size for one queue; each says its number.
func many(q store.QueueID, first, n, size int) *store.Batch {
	b := &store.Batch{}
	for i := range n {
		b.Appends = append(b.Appends, store.Append{Queues: []store.QueueID{q}, Body: []byte(numbered(first+i, size)), Seqs: make([]uint64, 1)})
	}
	return b
}

func numbered(i, size int) string {
	return fmt.Sprintf("%-*d", size, i)
}

// runsOf lists what the keys of a queue hold, as "first-last".
func runsOf(t *testing.T, s *Store, q store.QueueID) (runs []string) {
	t.Helper()
	it, err := s.now().db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.SeekGE(entryKey(q, 0)); ok && bytes.Compare(it.Key(), entriesEnd(q)) < 0; ok = it.Next() {
		r, err := runAt(it)
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprint(r.last)
		if r.ends != nil {
			name = fmt.Sprintf("%d-%d", r.first(), r.last)
		}
		if r.shared {
			name += "s"
		}
		runs = append(runs, name)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return runs
}

func wantRuns(t *testing.T, s *Store, q store.QueueID, want ...string) {
	t.Helper()
	if got := runsOf(t, s, q); !slices.Equal(got, want) {
		t.Errorf("queue %d is stored as %v, want %v", q, got, want)
	}
}

// wantRead reads the whole queue in pages of any size and compares.
func wantRead(t *testing.T, s *Store, q store.QueueID, first uint64, want []string) {
	t.Helper()
	for _, limit := range []int{1, 7, 256, 1 << 30} {
		if limit == 1 && len(want) > 300 {
			continue
		}
		var got []store.Entry
		for after := uint64(0); ; after = got[len(got)-1].Seq {
			n := len(got)
			var err error
			if got, err = s.Read(t.Context(), q, after, limit, 1<<30, got); err != nil {
				t.Fatal(err)
			}
			if len(got) == n {
				break
			}
		}
		if len(got) != len(want) {
			t.Fatalf("queue %d in pages of %d: %d entries, want %d", q, limit, len(got), len(want))
		}
		for i, e := range got {
			if e.Seq != first+uint64(i) || string(e.Body) != want[i] {
				t.Fatalf("queue %d in pages of %d: %d %.20q, want %d %.20q", q, limit, e.Seq, e.Body, first+uint64(i), want[i])
			}
		}
	}
	size := 0
	for _, body := range want {
		size += len(body)
	}
	st, err := s.QueueStats(t.Context(), q)
	if want := (store.QueueStats{First: first, Last: first + uint64(len(want)) - 1, Bytes: int64(size)}); err != nil || st != want {
		t.Errorf("queue %d: %+v, %v, want %+v", q, st, err, want)
	}
}

// numbers are bodies of many.
func numbers(first, n, size int) (bodies []string) {
	for i := range n {
		bodies = append(bodies, numbered(first+i, size))
	}
	return bodies
}

// What a group appends to a queue becomes blocks, as few as the bounds allow; whoever reads does not see where they end.
func TestBlockBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		batches []*store.Batch
		want    []string
		bodies  []string
	}{
		{"one", []*store.Batch{many(1, 1, 1, 10)}, []string{"1"}, numbers(1, 1, 10)},
		{"two batches", []*store.Batch{many(1, 1, 1, 10), many(1, 2, 2, 10)}, []string{"1-3"}, numbers(1, 3, 10)},
		{"as many as can be", []*store.Batch{many(1, 1, 1024, 10)}, []string{"1-1024"}, numbers(1, 1024, 10)},
		{"one more", []*store.Batch{many(1, 1, 1025, 10)}, []string{"1-1024", "1025"}, numbers(1, 1025, 10)},
		{"many more", []*store.Batch{many(1, 1, 3000, 10)}, []string{"1-1024", "1025-2048", "2049-3000"}, numbers(1, 3000, 10)},
		{"as many bytes as can be", []*store.Batch{many(1, 1, 17, 3855)}, []string{"1-17"}, numbers(1, 17, 3855)},
		{"more bytes", []*store.Batch{many(1, 1, 17, 3856)}, []string{"1-16", "17"}, numbers(1, 17, 3856)},
		{"nothing but numbers", []*store.Batch{many(1, 1, 3, 0)}, []string{"1-3"}, numbers(1, 3, 0)},
		{
			"large ones between",
			[]*store.Batch{many(1, 1, 2, 10), many(1, 3, 1, 65_535), many(1, 4, 2, 65_536), many(1, 6, 2, 10)},
			[]string{"1-2", "3", "4", "5", "6-7"},
			slices.Concat(numbers(1, 2, 10), numbers(3, 1, 65_535), numbers(4, 2, 65_536), numbers(6, 2, 10)),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			groups := 0
			s := mustOpen(t, Options{Dir: "data", FS: fs, Observe: func(int, time.Duration) { groups++ }})
			if err := together(t, s, c.batches...); err != nil {
				t.Fatal(err)
			}
			seq := uint64(0)
			for _, b := range c.batches {
				for _, a := range b.Appends {
					if seq++; a.Seqs[0] != seq {
						t.Fatalf("number %d, want %d", a.Seqs[0], seq)
					}
				}
			}
			wantRuns(t, s, 1, c.want...)
			wantRead(t, s, 1, 1, c.bodies)
			audit(t, s)
			if err := s.Close(); err != nil || groups != 1 {
				t.Fatal(groups, err)
			}
			s = mustOpen(t, Options{Dir: "data", FS: fs})
			wantRead(t, s, 1, 1, c.bodies)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A page begins and ends anywhere in a block.
func TestReadFromTheMiddleOfABlock(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	for i := range 3 {
		if err := together(t, s, many(1, 1+100*i, 100, 10)); err != nil {
			t.Fatal(err)
		}
	}
	wantRuns(t, s, 1, "1-100", "101-200", "201-300")
	for _, c := range []struct {
		after                  uint64
		limit, maxBytes        int
		wantFirst, wantEntries uint64
	}{
		{0, 50, 1 << 20, 1, 50},
		{49, 1, 1 << 20, 50, 1},
		{99, 1, 1 << 20, 100, 1},
		{100, 1, 1 << 20, 101, 1},
		{50, 100, 1 << 20, 51, 100},
		{150, 1000, 1 << 20, 151, 150},
		{299, 1000, 1 << 20, 300, 1},
		{300, 1000, 1 << 20, 0, 0},
		{95, 1000, 100, 96, 10},
		{95, 1000, 91, 96, 10},
		{95, 1000, 90, 96, 9},
		{150, 1000, 0, 151, 1},
	} {
		got, err := s.Read(t.Context(), 1, c.after, c.limit, c.maxBytes, nil)
		if err != nil || uint64(len(got)) != c.wantEntries {
			t.Errorf("after %d, %d, %d bytes: %d entries, %v, want %d", c.after, c.limit, c.maxBytes, len(got), err, c.wantEntries)
			continue
		}
		for i, e := range got {
			if want := c.wantFirst + uint64(i); e.Seq != want || string(e.Body) != numbered(int(want), 10) {
				t.Errorf("after %d: %d %q, want %d", c.after, e.Seq, e.Body, want)
			}
		}
	}
}

// A trim in the middle of a block holds at once, after a restart and after a power cut that follows its sync; what was not
// trimmed stays. The block goes when all of it is trimmed.
func TestTrimInTheMiddleOfABlock(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, Options{Dir: "data", FS: disk})
	if err := together(t, s, many(1, 1, 1024, 10)); err != nil {
		t.Fatal(err)
	}
	if err := together(t, s, many(1, 1025, 1000, 10)); err != nil {
		t.Fatal(err)
	}
	cut := func(seq uint64, runs ...string) {
		t.Helper()
		s.Trim(1, seq)
		wantRead(t, s, 1, seq+1, numbers(int(seq)+1, 2024-int(seq), 10))
		s.now().ripen() // the time after which trims are written
		settle(t, s)
		wantRuns(t, s, 1, runs...)
		audit(t, s)
		disk = disk.CrashClone(vfs.CrashCloneCfg{})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, Options{Dir: "data", FS: disk})
		wantRead(t, s, 1, seq+1, numbers(int(seq)+1, 2024-int(seq), 10))
		wantRuns(t, s, 1, runs...)
		audit(t, s)
	}
	cut(1, "1-1024", "1025-2024")
	cut(500, "1-1024", "1025-2024")
	cut(1023, "1-1024", "1025-2024")
	cut(1024, "1025-2024")
	cut(2023, "1025-2024") // dead, and alive with its last entry
	cut(2024, "1025-2024") // not many enough to be deleted
	if err := together(t, s, many(1, 2025, 30, 10)); err != nil {
		t.Fatal(err)
	}
	s.Trim(1, 2050)
	s.now().ripen()
	settle(t, s)
	wantRuns(t, s, 1, "2025-2054")
	wantRead(t, s, 1, 2051, numbers(2051, 4, 10))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A cut before the trim is synced brings trimmed entries back, and loses none.
func TestTrimInTheMiddleOfABlockUnsynced(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := mustOpen(t, Options{Dir: "data", FS: disk})
	if err := together(t, s, many(1, 1, 100, 10)); err != nil {
		t.Fatal(err)
	}
	after := disk.CrashClone(vfs.CrashCloneCfg{})
	s.Trim(1, 50)
	wantRead(t, s, 1, 51, numbers(51, 50, 10))
	again := mustOpen(t, Options{Dir: "data", FS: after})
	wantRead(t, again, 1, 1, numbers(1, 100, 10))
	if err := errors.Join(s.Close(), again.Close()); err != nil {
		t.Fatal(err)
	}
}

// What is dead in blocks that live does not make the store look for more of it again and again.
func TestDeadInLivingBlocksIsNotCounted(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	for q := range store.QueueID(4) {
		if err := together(t, s, many(q, 1, 1000, 10)); err != nil {
			t.Fatal(err)
		}
		s.Trim(q, 999)
	}
	settle(t, s)
	l := s.now()
	if n := l.dead.Load(); n < 3*999 {
		t.Fatalf("%d are dead", n)
	}
	l.queues.mu.RLock()
	for _, q := range l.queues.by {
		l.builder.file(q) // the committer rests
	}
	l.queues.mu.RUnlock()
	settle(t, s)
	if n := l.dead.Load(); n != 0 {
		t.Errorf("%d are counted as dead", n)
	}
	for q := range store.QueueID(4) {
		s.Trim(q, 1000)
		wantRuns(t, s, q, "1-1000")
	}
	s.now().ripen()
	settle(t, s)
	if n := l.dead.Load(); n != 4 {
		t.Errorf("%d are counted as dead, 4 came", n)
	}
}

// Entries with shared bodies stand between blocks, in their order, and give their bodies back.
func TestSharedBetweenBlocks(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "data", FS: fs})
	all := []store.QueueID{1, 2, 3, 4, 5}
	body := strings.Repeat("s", 300)
	group := []*store.Batch{
		many(1, 1, 3, 10), appendsOf(body, all...), many(1, 5, 1, 10), appendsOf(body, all...), appendsOf(body, all...), many(1, 8, 2, 10),
	}
	if err := together(t, s, group...); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(numbers(1, 3, 10), []string{body}, numbers(5, 1, 10), []string{body, body}, numbers(8, 2, 10))
	wantRuns(t, s, 1, "1-3", "4s", "5", "6s", "7s", "8-9")
	wantRuns(t, s, 2, "1s", "2s", "3s")
	for trimmed := range 9 {
		s.Trim(1, uint64(trimmed))
		wantRead(t, s, 1, uint64(trimmed)+1, want[trimmed:])
		if trimmed%3 == 2 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, Options{Dir: "data", FS: fs})
			wantRead(t, s, 1, uint64(trimmed)+1, want[trimmed:])
		}
	}
	for _, q := range all[1:] {
		s.Trim(q, 3)
	}
	s.Trim(1, 9)
	drops := &store.Batch{DropQueues: all}
	if err := s.Commit(drops).Wait(); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if entries, bodies := audit(t, s); entries != 0 || bodies != 0 {
		t.Errorf("%d entries, %d bodies", entries, bodies)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Clearing reads shared bodies and blocks in steps that its budget allows, and each step gets somewhere.
func TestClearInSteps(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	all := []store.QueueID{1, 2, 3, 4, 5}
	body := strings.Repeat("s", 300)
	for i := range 10 {
		if err := together(t, s, appendsOf(body, all...), many(1, 1001*i, 1000, 10), many(2, i, 3, 10)); err != nil {
			t.Fatal(err)
		}
	}
	if entries, bodies := audit(t, s); entries != 10*(5+1000+3) || bodies != 10 {
		t.Fatalf("%d entries, %d bodies", entries, bodies)
	}
	wantRuns(t, s, 2, "1s", "2-4", "5s", "6-8", "9s", "10-12", "13s", "14-16", "17s", "18-20", "21s", "22-24", "25s", "26-28", "29s", "30-32", "33s", "34-36", "37s", "38-40")
	l := s.now()
	for _, c := range []struct {
		id                store.QueueID
		end, budget, want uint64
	}{{1, 10_010, 1, 1}, {1, 10_010, 2, 1001}, {1, 10_010, 1500, 2002}, {1, 2002, 1 << 20, 2002}, {2, 40, 5, 5}, {2, 40, 6, 8}, {2, 40, 1000, 40}} {
		q, err := l.queue(c.id)
		if err != nil {
			t.Fatal(err)
		}
		if to, err := l.release(q, c.end, c.budget); err != nil || to.seq != c.want { // the committer rests
			t.Errorf("%+v: to %d, %v", c, to.seq, err)
		}
		clear(l.builder.counts)
	}
	s.Trim(1, 10*1001-500)
	s.now().ripen()
	settle(t, s)
	wantRuns(t, s, 1, "9011-10010")
	for _, q := range all[1:] {
		s.Trim(q, 1000)
	}
	if err := s.Commit(&store.Batch{DropQueues: all[1:]}).Wait(); err != nil {
		t.Fatal(err)
	}
	settle(t, s)
	if entries, bodies := audit(t, s); entries != 1000 || bodies != 0 {
		t.Fatalf("%d entries, %d bodies", entries, bodies)
	}
}

// A drop forgets what came before it in its group, and nothing behind it; a restart changes nothing.
func TestDropAndAppendInOneGroup(t *testing.T) {
	for _, before := range []int{0, 1, 5} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			s := mustOpen(t, Options{Dir: "data", FS: disk})
			if before > 0 {
				if err := together(t, s, many(1, 1, before, 10)); err != nil {
					t.Fatal(err)
				}
			}
			drop := &store.Batch{DropQueues: []store.QueueID{1}}
			behind := many(1, 100, 4, 10)
			if err := together(t, s, many(1, 50, 3, 10), drop, behind, many(2, 1, 2, 10)); err != nil {
				t.Fatal(err)
			}
			after := disk.CrashClone(vfs.CrashCloneCfg{}) // before anything is cleared, perhaps
			first := behind.Appends[0].Seqs[0]
			if first != uint64(before)+4 {
				t.Errorf("the first number behind the drop is %d", first)
			}
			wantRead(t, s, 1, first, numbers(100, 4, 10))
			settle(t, s)
			audit(t, s)
			wantRuns(t, s, 1, fmt.Sprintf("%d-%d", first, first+3))
			for _, fs := range []vfs.FS{after, disk.CrashClone(vfs.CrashCloneCfg{})} {
				again := mustOpen(t, Options{Dir: "data", FS: fs})
				audit(t, again)
				wantRead(t, again, 1, first, numbers(100, 4, 10))
				wantRead(t, again, 2, 1, numbers(1, 2, 10))
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
			last := &store.Batch{DropQueues: []store.QueueID{1}}
			if err := together(t, s, many(1, 1, 3, 10), last); err != nil {
				t.Fatal(err)
			}
			settle(t, s)
			wantRuns(t, s, 1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A disk that fails under a group leaves nothing of its blocks, and the numbers are given again.
func TestDegradedUnderABlock(t *testing.T) {
	for _, relaxed := range []bool{false, true} {
		t.Run(fmt.Sprintf("relaxed=%v", relaxed), func(t *testing.T) {
			brk := &breaker{part: ".log", sync: true, err: syscall.EIO} // what is written is there
			s := mustOpen(t, Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), brk), Retry: time.Millisecond, Relaxed: relaxed})
			body := strings.Repeat("s", 300)
			all := []store.QueueID{1, 2, 3, 4, 5}
			if err := together(t, s, many(1, 1, 10, 10), appendsOf("x", 2)); err != nil {
				t.Fatal(err)
			}
			s.Trim(1, 4)
			brk.broken.Store(true)
			last := uint64(10)
			for i := 0; ; i++ {
				err := together(t, s, many(1, int(last)+1, 3, 10), appendsOf(body, all...), many(1, int(last)+5, 2, 10))
				if err != nil {
					if !fault.Is(err, fault.Unavailable) {
						t.Fatal(err)
					}
					break
				}
				last += 6 // a relaxed store takes some more
			}
			brk.broken.Store(false)
			for s.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: "b", Key: "k"}}}).Wait() != nil { // it tries again
			}
			st, err := s.QueueStats(t.Context(), 1)
			if err != nil || st.First != 5 || st.Last != last {
				t.Fatalf("%+v, %v, want 5 to %d", st, err, last)
			}
			b := many(1, int(last)+1, 5, 10)
			if err := together(t, s, b); err != nil || b.Appends[0].Seqs[0] != last+1 {
				t.Fatal(err, b.Appends[0].Seqs)
			}
			audit(t, s)
			got, err := s.Read(t.Context(), 1, last-1, 100, 1<<20, nil)
			if err != nil || len(got) != 6 || string(got[5].Body) != numbered(int(last)+5, 10) {
				t.Errorf("%v, %v", got, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Damage in a block is an error of the read that meets it, and of no other.
func TestReadOfADamagedBlock(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	if err := together(t, s, many(7, 1, 4, 10)); err != nil {
		t.Fatal(err)
	}
	if err := harmBlock(func(v []byte) []byte { v[7] = 1; return v })(s.now().db); err != nil {
		t.Fatal(err)
	}
	for after, want := range []int{1, 0, 0, 1} {
		got, err := s.Read(t.Context(), 7, uint64(after), 1<<30, 1<<30, nil)
		if len(got) != want || (err == nil) != (after == 3) || err != nil && !errors.Is(err, errCorrupt) {
			t.Errorf("after %d: %d entries, %v", after, len(got), err)
		}
	}
}

// Whoever looks for an entry that is gone does not get the one behind it.
func TestFindWhatIsGone(t *testing.T) {
	s := mustOpen(t, Options{Dir: "data", FS: vfs.NewMem()})
	defer s.Close() //nolint:errcheck // a test
	for i := range 3 {
		if err := together(t, s, many(1, 1+10*i, 10, 10)); err != nil {
			t.Fatal(err)
		}
	}
	l := s.now()
	if err := l.db.Delete(entryKey(1, 20), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		seq, first, bytes uint64
	}{{1, 1, 0}, {4, 1, 30}, {10, 1, 90}, {11, 0, 0}, {20, 0, 0}, {21, 21, 200}, {30, 21, 290}, {31, 0, 0}} {
		var first uint64
		var before mark
		err := l.find(1, c.seq, func(r *run) { first, before = r.first(), r.before(c.seq) })
		if first != c.first || before.bytes != c.bytes || (err == nil) != (c.first > 0) || err != nil && !errors.Is(err, pebble.ErrNotFound) {
			t.Errorf("entry %d: in the run from %d, %+v, %v", c.seq, first, before, err)
		}
	}
}

// Queues are lists: what a plain list says after any appends, trims and restarts, the store says, in pages of any size.
func TestQueuesAreLists(t *testing.T) {
	const queues = 3
	body := strings.Repeat("s", 300)
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			fs := vfs.NewMem()
			s := mustOpen(t, Options{Dir: "data", FS: fs})
			var lists [queues][]string
			var trimmed [queues]int
			for range 40 {
				switch rng.IntN(8) {
				case 0:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = mustOpen(t, Options{Dir: "data", FS: fs})
				case 1:
					s.now().ripen()
					settle(t, s)
				case 2, 3:
					q := rng.IntN(queues)
					trimmed[q] += rng.IntN(len(lists[q]) - trimmed[q] + 1)
					s.Trim(store.QueueID(q), uint64(trimmed[q]))
				default:
					b := &store.Batch{}
					for range 1 + rng.IntN(1500) {
						q := rng.IntN(queues)
						text, ids := numbered(len(lists[q]), rng.IntN(100)), []store.QueueID{store.QueueID(q)}
						if rng.IntN(500) == 0 {
							text, ids = body, []store.QueueID{0, 1, 2, 10, 11}
						}
						b.Appends = append(b.Appends, store.Append{Queues: ids, Body: []byte(text), Seqs: make([]uint64, len(ids))})
						for _, id := range ids[:min(len(ids), queues)] {
							lists[id] = append(lists[id], text)
						}
					}
					if err := s.Commit(b).Wait(); err != nil {
						t.Fatal(err)
					}
				}
				for q := range queues {
					comparePages(t, s, rng, store.QueueID(q), lists[q], trimmed[q])
				}
			}
			audit(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func comparePages(t *testing.T, s *Store, rng *rand.Rand, q store.QueueID, list []string, trimmed int) {
	t.Helper()
	size := 0
	for _, body := range list[trimmed:] {
		size += len(body)
	}
	st, err := s.QueueStats(t.Context(), q)
	if want := (store.QueueStats{First: uint64(trimmed) + 1, Last: uint64(len(list)), Bytes: int64(size)}); err != nil || st != want {
		t.Fatalf("queue %d: %+v, %v, want %+v", q, st, err, want)
	}
	after, limit, maxBytes := rng.IntN(len(list)+1), rng.IntN(2000), rng.IntN(100_000)
	got, err := s.Read(t.Context(), q, uint64(after), limit, maxBytes, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, read := max(after, trimmed), 0
	for i, e := range got {
		if i > 0 && read >= maxBytes || i >= limit || e.Seq != uint64(next)+1 || string(e.Body) != list[next] {
			t.Fatalf("queue %d after %d, %d, %d bytes: %d %.20q as number %d", q, after, limit, maxBytes, e.Seq, e.Body, i)
		}
		next, read = next+1, read+len(e.Body)
	}
	if next < len(list) && len(got) < limit && (len(got) == 0 || read < maxBytes) {
		t.Fatalf("queue %d after %d, %d, %d bytes: ends at %d of %d", q, after, limit, maxBytes, next, len(list))
	}
}
