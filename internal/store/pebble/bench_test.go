package pebble

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thingwire/thingwire/internal/store"
)

const benchBody = 100

// BenchmarkCommit is the rate of durable appends: one operation is one append of 100 bytes.
func BenchmarkCommit(b *testing.B) {
	for _, committers := range []int{1, 10, 100} {
		for _, per := range []int{1, 100} {
			b.Run(fmt.Sprintf("committers=%d/appends=%d", committers, per), func(b *testing.B) {
				s := mustOpen(b, Options{Dir: b.TempDir()})
				defer s.Close() //nolint:errcheck // a benchmark
				b.ReportAllocs()
				b.ResetTimer()
				var all sync.WaitGroup
				for c := range committers {
					all.Go(func() { commitLoop(b, s, store.QueueID(c), b.N/committers/per+1, per) })
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			})
		}
	}
}

// commitLoop commits, waits, and trims now and then, as a session that is read would have it.
func commitLoop(b *testing.B, s *Store, q store.QueueID, rounds, per int) {
	batch := &store.Batch{Appends: make([]store.Append, per)}
	body := []byte(strings.Repeat("x", benchBody))
	queues, seqs := []store.QueueID{q}, make([]uint64, per)
	for i := range batch.Appends {
		batch.Appends[i] = store.Append{Queues: queues, Body: body, Seqs: seqs[i : i+1 : i+1]}
	}
	appends := batch.Appends
	for range rounds {
		if err := s.Commit(batch).Wait(); err != nil {
			b.Error(err)
			return
		}
		s.Trim(q, seqs[per-1]-1)
		*batch = store.Batch{Appends: appends}
	}
}

// BenchmarkGroup is what a group costs: one operation is one append of 100 bytes, in a group of as many queues as there are
// online sessions, which are trimmed as their clients acknowledge. The processor's time has that of pebble's flushes and
// compactions in it. A disk in memory leaves out what the disk takes.
func BenchmarkGroup(b *testing.B) {
	for _, shape := range []struct{ queues, per int }{{1, 1}, {1, 1000}, {50, 36}, {1000, 1}} {
		b.Run(fmt.Sprintf("queues=%d/appends=%d", shape.queues, shape.per), func(b *testing.B) {
			s := mustOpen(b, Options{Dir: "data", FS: vfs.NewMem()})
			defer s.Close() //nolint:errcheck // a benchmark
			batch, body := &store.Batch{}, []byte(strings.Repeat("x", benchBody))
			for range shape.per {
				for q := range store.QueueID(shape.queues) {
					batch.Appends = append(batch.Appends, store.Append{Queues: []store.QueueID{q}, Body: body, Seqs: make([]uint64, 1)})
				}
			}
			appends := batch.Appends
			b.ReportAllocs()
			b.ResetTimer()
			began := cpuTime()
			n := 0
			for ; n < b.N; n += len(appends) {
				if err := s.Commit(batch).Wait(); err != nil {
					b.Fatal(err)
				}
				for i := range appends[len(appends)-shape.queues:] {
					a := &appends[len(appends)-shape.queues+i]
					s.Trim(a.Queues[0], a.Seqs[0])
				}
				*batch = store.Batch{Appends: appends}
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(n), "cpu-ns/msg")
		})
	}
}

// BenchmarkRawSync is what BenchmarkCommit is measured by: one write of the same bytes and one fdatasync.
func BenchmarkRawSync(b *testing.B) {
	for _, per := range []int{1, 10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("appends=%d", per), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close() //nolint:errcheck // a benchmark
			bytes := make([]byte, per*(benchBody+30))
			b.ResetTimer()
			n := 0
			for ; n < b.N; n += per {
				if _, err := f.Write(bytes); err != nil {
					b.Fatal(err)
				}
				if err := datasync(f); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// BenchmarkRead drains 10,000 entries per operation, in pages.
func BenchmarkRead(b *testing.B) {
	const n = 10_000
	for _, shape := range []struct {
		name   string
		queues int
		body   int
		page   int
	}{{"inline", 1, benchBody, 1000}, {"inline/page=256", 1, benchBody, 256}, {"inline/page=1", 1, benchBody, 1}, {"shared", 5, 1000, 1000}} {
		b.Run(shape.name, func(b *testing.B) {
			s := mustOpen(b, Options{Dir: b.TempDir()})
			defer s.Close() //nolint:errcheck // a benchmark
			fillQueues(b, s, shape.queues, n, shape.body)
			b.ReportAllocs()
			b.ResetTimer()
			var dst []store.Entry
			for range b.N {
				for after := uint64(0); after < n; {
					var err error
					if dst, err = s.Read(b.Context(), 0, after, shape.page, 1<<30, dst[:0]); err != nil {
						b.Fatal(err)
					}
					after = dst[len(dst)-1].Seq
				}
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// fillQueues puts n bodies behind the queues 0, 1, 2...
func fillQueues(tb testing.TB, s *Store, queues, n, size int) {
	tb.Helper()
	ids := make([]store.QueueID, queues)
	for i := range ids {
		ids[i] = store.QueueID(i)
	}
	body := make([]byte, size)
	batch := &store.Batch{}
	for i := range n {
		batch.Appends = append(batch.Appends, store.Append{Queues: ids, Body: body, Seqs: make([]uint64, queues)})
		if len(batch.Appends) < 1000 && i < n-1 {
			continue
		}
		if err := s.Commit(batch).Wait(); err != nil {
			tb.Fatal(err)
		}
		batch = &store.Batch{}
	}
}

// BenchmarkDocs is the rate of durable documents: 10 committers put 100 each per batch.
func BenchmarkDocs(b *testing.B) {
	const committers, per = 10, 100
	s := mustOpen(b, Options{Dir: b.TempDir()})
	defer s.Close() //nolint:errcheck // a benchmark
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	for c := range committers {
		all.Go(func() {
			batch := &store.Batch{Docs: make([]store.DocOp, per)}
			for i := range batch.Docs {
				batch.Docs[i] = store.DocOp{Bucket: "retained", Key: fmt.Sprintf("sensors/%d/%d", c, i), Value: make([]byte, benchBody)}
			}
			docs := batch.Docs
			for range b.N/committers/per + 1 {
				if err := s.Commit(batch).Wait(); err != nil {
					b.Error(err)
				}
				*batch = store.Batch{Docs: docs}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkReopen opens a directory as kill -9 left it, with a million queued messages of 100 bytes, and reads the first.
func BenchmarkReopen(b *testing.B) {
	const n = 1_000_000
	dir := b.TempDir()
	s := mustOpen(b, Options{Dir: dir})
	fillQueues(b, s, 1, n, benchBody)
	copies := make([]string, b.N)
	for i := range copies {
		copies[i] = b.TempDir()
		if err := os.CopyFS(filepath.Join(copies[i], "data"), os.DirFS(dir)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for _, dir := range copies {
		s := mustOpen(b, Options{Dir: filepath.Join(dir, "data")})
		if st, err := s.QueueStats(b.Context(), 0); err != nil || st.Last != n || st.Bytes != n*benchBody {
			b.Fatal(st, err)
		}
		if got, err := s.Read(b.Context(), 0, 0, 1, 1, nil); err != nil || len(got) != 1 {
			b.Fatal(got, err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
