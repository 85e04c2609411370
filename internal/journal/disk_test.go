package journal

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

// segments are the contents of the segment files, oldest first.
func segments(t *testing.T, dir string) (names []string, all []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "journal-*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		names, all = append(names, filepath.Base(p)), append(all, data...)
	}
	return names, all
}

// wantLines checks that each line of the files has its text.
func wantLines(t *testing.T, dir string, want ...string) {
	t.Helper()
	_, all := segments(t, dir)
	lines := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), all)
	}
	for i, w := range want {
		if !strings.Contains(lines[i], w) {
			t.Errorf("line %d has no %s: %s", i, w, lines[i])
		}
	}
}

func TestSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "journal")
	j := open(t, Options{Dir: dir})
	for range 3 {
		j.Record(Entry{EventType: Connect, ClientID: "lamp", Subscriptions: []Subscription{{"a", 0x87}}})
	}
	j.Record(Entry{EventType: Disconnect, ClientID: "lamp", DisconnectReason: "CONNECTION_LOST", Cause: "<reset>"})
	before := j.Query(Query{})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, Options{Dir: dir})
	if d := cmp.Diff(before, j.Query(Query{})); d != "" {
		t.Errorf("after a restart (-before +after):\n%s", d)
	}
	j.Record(Entry{EventType: Connect, ClientID: "lamp"})
	expect(t, j.Query(Query{ClientID: "lamp"}),
		"lamp Connect Success x3", "lamp Disconnect Failure CONNECTION_LOST <reset>", "lamp Connect Success")
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Join(dir, "journal-000001.log")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the segment has mode %v, %v", info.Mode(), err)
	}
}

// A crash may tear the last line. It is left out, and what is written next begins on a line of its own.
func TestTornLineIsLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, Options{Dir: dir})
	for i := range 3 {
		j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint("c", i)})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal-000001.log")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for cut := start; cut < len(data)-1; cut += 7 {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, Options{Dir: dir})
		j.Record(Entry{EventType: Connect, ClientID: "next"})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, Options{Dir: dir})
		expect(t, j.Query(Query{}), "c0 Connect Success", "c1 Connect Success", "next Connect Success")
	}
}

func TestOldestSegmentsGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const most = 64 << 10
		j := open(t, Options{Dir: dir, DiskBytes: most, MemoryEntries: 20})
		for i := range 1000 {
			j.Record(Entry{EventType: Connect, ClientID: fmt.Sprintf("c%03d", i)})
			time.Sleep(time.Second)
			synctest.Wait()
			if i%25 > 0 {
				continue
			}
			if names, all := segments(t, dir); len(all) > most || len(names) > segmentsAtMost {
				t.Fatalf("%d bytes in %d segments", len(all), len(names))
			}
		}
		if names, _ := segments(t, dir); names[0] == "journal-000001.log" || len(names) < segmentsAtMost/2 {
			t.Errorf("the segments are %v", names)
		}
		// The memory has 20 entries; the files have more.
		got := j.Query(Query{Limit: 100})
		if len(got) != 100 || got[0].ClientID != "c900" || got[99].ClientID != "c999" {
			t.Errorf("%d entries, from %s", len(got), got[0].ClientID)
		}
		expect(t, j.Query(Query{ClientID: "c920"}), "c920 Connect Success")
		expect(t, j.Query(Query{ClientID: "c000"})) // gone for good
		since := time.Now().Add(-50 * time.Second)
		if n := len(j.Query(Query{Since: since})); n != 50 {
			t.Errorf("%d entries of the last 50 seconds, want 50", n)
		}
	})
}

// What the memory has let go of one noisy client is found on disk, in its order among the others.
func TestQueryFillsHolesFromDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, Options{Dir: t.TempDir(), MemoryEntries: 64})
		var want []string
		for i := range 40 {
			j.Record(Entry{EventType: PublishIn, ClientID: "noisy", TopicName: fmt.Sprint(i), Reason: ReasonThrottled})
			want = append(want, fmt.Sprintf("noisy Publish-In Failure THROTTLED %d", i))
			time.Sleep(time.Second)
			if i%10 == 0 {
				j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint("quiet", i)})
				want = append(want, fmt.Sprintf("quiet%d Connect Success", i))
				time.Sleep(time.Second)
			}
		}
		synctest.Wait()
		expect(t, j.Query(Query{}), want...)
		expect(t, j.Query(Query{Limit: 25}), want[len(want)-25:]...)
		if n := len(j.Query(Query{ClientID: "noisy"})); n != 40 {
			t.Errorf("%d entries of the noisy client, want 40", n)
		}
	})
}

func TestOpenRefusesWithWords(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a file as directory: %v", err)
	}
	if _, err := Open(Options{MemoryEntries: -1}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a negative bound: %v", err)
	}
}

// A disk that fails costs the files, not the memory, and no caller anything.
func TestDiskThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := &disk{dir: filepath.Join(dir, "gone"), most: 1 << 20, segmentSize: 1 << 16, log: slog.New(slog.DiscardHandler)}
	d.write([]byte("a\n"))
	if !d.failing {
		t.Error("a write into a directory that is gone did not fail")
	}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.write([]byte("b\n"))
	if d.failing {
		t.Error("the disk works again and nobody noticed")
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
}
