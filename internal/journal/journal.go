package journal

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Options are what a journal stands on.
type Options struct {
	Dir           string        // of the segment files; "" keeps entries in memory only
	Account       string        // accountId of entries that have none
	MemoryEntries int           // how many entries are kept in memory; 0 means 8192
	DiskBytes     int           // how many bytes the segment files may take; 0 means 64 MiB
	Window        time.Duration // how long repeats are joined; 0 means a minute
	Log           *slog.Logger  // nil discards
}

func (o *Options) defaults() {
	if o.MemoryEntries == 0 {
		o.MemoryEntries = 8192
	}
	if o.DiskBytes == 0 {
		o.DiskBytes = 64 << 20
	}
	if o.Window == 0 {
		o.Window = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// maxLines bounds what waits to be written while the disk is slow, in bytes.
const maxLines = 4 << 20

// Journal is safe for concurrent use. It is closed with Close, once or more.
type Journal struct {
	account string
	disk    *disk // nil in memory only

	levels atomic.Pointer[Levels] // nil keeps all
	intake intake
	wake   chan struct{}
	stop   chan struct{} // closed by Close
	done   chan struct{} // closed when the goroutine has ended
	ending sync.Once
	endErr error

	mu        sync.Mutex
	memory    memory
	windows   windows
	followers map[*follower]struct{}
	lines     []byte // not written yet
	unwritten int    // entries that lines had no room for
	closed    bool
}

// Open opens the journal of a directory, makes it where there is none, and reads the last entries back.
func Open(o Options) (*Journal, error) {
	o.defaults()
	if o.MemoryEntries < 0 || o.DiskBytes < 0 || o.Window < 0 {
		return nil, fault.New(fault.Invalid, "the bounds of the journal must not be negative")
	}
	j := &Journal{
		account:   o.Account,
		wake:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
		memory:    newMemory(o.MemoryEntries),
		windows:   newWindows(o.Window),
		followers: map[*follower]struct{}{},
	}
	if o.Dir != "" {
		d, err := openDisk(o.Dir, int64(o.DiskBytes), o.Log)
		if err != nil {
			return nil, err
		}
		j.disk = d
		if err := d.load(&j.memory); err != nil {
			return nil, err
		}
	}
	go j.run()
	return j, nil
}

// Close writes what was recorded before it, ends the followers and waits for the goroutine. What is recorded later is
// not kept.
func (j *Journal) Close() error {
	j.ending.Do(func() {
		close(j.stop)
		<-j.done
		j.endErr = j.disk.close()
	})
	return j.endErr
}

// Record takes an entry. It never waits for a disk or a reader: when the intake is full the entry is counted as lost,
// and the count becomes an entry. A timestamp that is zero is now. What the levels do not want is left out (Obey).
func (j *Journal) Record(e Entry) {
	if e.Timestamp.IsZero() {
		e.Timestamp.Time = time.Now()
	}
	if l := j.levels.Load(); l != nil && !l.wants(&e) {
		return
	}
	if !j.intake.put(&e) {
		return
	}
	select {
	case j.wake <- struct{}{}:
	default: // it is awake
	}
}

// run is the goroutine: it makes entries of the intake, closes windows, and writes.
func (j *Journal) run() {
	defer close(j.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-j.wake:
		case <-timer.C:
		case <-j.stop:
			j.disk.write(j.finish())
			return
		}
		lines, next := j.step()
		j.disk.write(lines)
		if next < 0 {
			timer.Stop()
			continue
		}
		timer.Reset(next)
	}
}

// step makes entries of what was recorded. It answers the lines to write, and after what time there is more to do,
// negative for never.
func (j *Journal) step() (lines []byte, next time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drain()
	now := time.Now()
	for w := j.windows.over(now); w != nil; w = j.windows.over(now) {
		j.closeWindow(w)
	}
	return j.takeLines(), j.windows.next(now)
}

// finish is the last step.
func (j *Journal) finish() (lines []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.intake.close()
	j.drain()
	for w := j.windows.first(); w != nil; w = j.windows.first() {
		j.closeWindow(w)
	}
	j.closed = true
	for f := range j.followers {
		f.nudge()
	}
	return j.takeLines()
}

// drain makes entries of the intake. Under mu.
func (j *Journal) drain() {
	blocks, lost := j.intake.take()
	for b := blocks; b != nil; b = b.next {
		for i := range b.entries[:b.n] {
			j.apply(&b.entries[i])
		}
	}
	j.intake.giveBack(blocks)
	if lost > 0 {
		j.apply(lostEntry(lost))
	}
	if j.unwritten > 0 && len(j.lines) == 0 {
		j.apply(unwrittenEntry(j.unwritten))
		j.unwritten = 0
	}
}

// apply makes one entry of what was recorded: a new one, or one more of a window that is open. Under mu.
func (j *Journal) apply(e *Entry) {
	key, words := j.windows.keys(e)
	w := j.windows.find(key)
	if w != nil && w.alone(e) {
		e.clean()
		e.fill(j.account)
		j.emit(&j.memory.add(e).entry)
		return
	}
	if w != nil && w.words == words {
		w.repeat(e)
		return
	}
	e.clean()
	e.fill(j.account)
	if w != nil {
		w.say(e, words)
		return
	}
	if w := j.windows.crowded(); w != nil {
		j.closeWindow(w)
	}
	n := j.memory.add(e)
	j.windows.open(key, words, n)
	j.emit(&n.entry)
}

// closeWindow ends the time in which repeats of an entry join it; if there were any the entry is told once more, with
// their count. Under mu.
func (j *Journal) closeWindow(w *window) {
	j.windows.remove(w)
	if w.repeats > 0 {
		j.emit(&w.node.entry)
	}
}

// emit gives an entry to the disk and the followers. Under mu.
func (j *Journal) emit(e *Entry) {
	for f := range j.followers {
		f.offer(e)
	}
	switch {
	case j.disk == nil:
	case len(j.lines) > maxLines:
		j.unwritten++
	default:
		j.lines = appendLine(j.lines, e)
	}
}

func (j *Journal) takeLines() []byte {
	lines := j.lines
	j.lines = nil
	return lines
}

func lostEntry(n int) *Entry {
	return &Entry{
		Timestamp: Stamp{time.Now()}, EventType: OwnEvent, Reason: ReasonEntriesLost, LogLevel: LevelWarn, Count: n,
		Cause: "more happened than the journal could take: some entries are missing here",
	}
}

func unwrittenEntry(n int) *Entry {
	return &Entry{
		Timestamp: Stamp{time.Now()}, EventType: OwnEvent, Reason: ReasonEntriesUnwritten, LogLevel: LevelWarn, Count: n,
		Cause: "the disk was slower than what happened: some entries are missing in the journal's files",
	}
}
