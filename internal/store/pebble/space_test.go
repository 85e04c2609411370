package pebble

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// tableBytes is what tables take. The logs beside them are few and used again.
func tableBytes(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".sst" {
			continue
		}
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil { // else it was deleted meanwhile
			bytes += info.Size()
		}
	}
	return bytes
}

// What was trimmed or dropped gives its room on the disk back, without anything else being written.
func TestTrimGivesSpaceBack(t *testing.T) {
	const queues, n, size = 20, 4000, 1000
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	for q := range store.QueueID(queues) {
		fillOne(t, s, q, n, size)
	}
	full := tableBytes(t, dir)
	if full < queues*n*size/2 { // the rest is in memory and in logs
		t.Fatalf("%d bytes on disk for %d", full, queues*n*size)
	}
	for q := range store.QueueID(queues) {
		if q%2 == 0 {
			s.Trim(q, n)
		} else if err := s.Commit(&store.Batch{DropQueues: []store.QueueID{q}}).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	left := full
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if err := s.Commit(&store.Batch{}).Wait(); err != nil { // an event that lets time pass
			t.Fatal(err)
		}
		if left = tableBytes(t, dir); left < full/10 {
			break
		}
	}
	t.Logf("%d MB became %d MB", full>>20, left>>20)
	if left >= full/10 {
		t.Errorf("%d bytes are still on disk, %d were", left, full)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// fillOne puts n bodies that do not compress behind one queue.
func fillOne(t testing.TB, s *Store, q store.QueueID, n, size int) {
	t.Helper()
	b := &store.Batch{}
	x := uint64(q)*1e9 + 1
	for i := range n {
		body := make([]byte, size)
		for j := range body {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			body[j] = byte(x)
		}
		b.Appends = append(b.Appends, store.Append{Queues: []store.QueueID{q}, Body: body, Seqs: make([]uint64, 1)})
		if len(b.Appends) < 1000 && i < n-1 {
			continue
		}
		if err := s.Commit(b).Wait(); err != nil {
			t.Fatal(err)
		}
		b = &store.Batch{}
	}
}
