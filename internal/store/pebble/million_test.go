package pebble

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

const (
	millionVariable = "THINGWIRE_TEST_MILLION"
	millionQueues   = 1000
)

// BenchmarkMillionReopen opens, in a process of its own, a directory as kill -9 left it, with a million messages of 256
// bytes in 1,000 queues, and looks at every queue, as the broker does at its start. It says how long that took and how
// much memory is resident then.
func BenchmarkMillionReopen(b *testing.B) {
	const per, size = 1000, 256
	dir := filepath.Join(b.TempDir(), "filled")
	s := mustOpen(b, Options{Dir: dir})
	batch := &store.Batch{}
	for range per {
		for q := range store.QueueID(millionQueues) {
			batch.Appends = append(batch.Appends, store.Append{Queues: []store.QueueID{q}, Body: make([]byte, size), Seqs: make([]uint64, 1)})
		}
		if err := s.Commit(batch).Wait(); err != nil {
			b.Fatal(err)
		}
		batch = &store.Batch{}
	}
	killed := filepath.Join(b.TempDir(), "killed")
	if err := s.Checkpoint(killed); err != nil { // with its logs, which are to be replayed
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var took, cpu time.Duration
	var resident int
	for i := range b.N {
		again := filepath.Join(b.TempDir(), strconv.Itoa(i))
		if err := os.CopyFS(again, os.DirFS(killed)); err != nil {
			b.Fatal(err)
		}
		child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestMillionChild$")
		child.Env = append(os.Environ(), millionVariable+"="+again, "THINGWIRE_TEST_ENTRIES="+strconv.Itoa(per))
		out, err := child.Output()
		if err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		var one time.Duration
		var kb int
		if _, err := fmt.Sscanf(string(out), "%d %d", &one, &kb); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		took, resident = took+one, max(resident, kb)
		cpu += child.ProcessState.UserTime() + child.ProcessState.SystemTime()
	}
	b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms/open")
	b.ReportMetric(cpu.Seconds()*1000/float64(b.N), "ms-cpu/process")
	b.ReportMetric(float64(resident)/1024, "MB-resident")
}

// TestMillionChild is the process of BenchmarkMillionReopen; alone it has nothing to do.
func TestMillionChild(t *testing.T) {
	dir := os.Getenv(millionVariable)
	if dir == "" {
		return
	}
	per, err := strconv.ParseUint(os.Getenv("THINGWIRE_TEST_ENTRIES"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := mustOpen(t, Options{Dir: dir})
	for q := range store.QueueID(millionQueues) {
		if st, err := s.QueueStats(t.Context(), q); err != nil || st.Last != per {
			t.Fatal(st, err)
		}
	}
	took := time.Since(began)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	fmt.Println(int64(took), strings.Fields(rest)[0])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
