package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/thingwire/thingwire/internal/fault"
)

// The journal's files are segments of JSON lines. The newest is appended to; full ones are never changed, and the
// oldest goes when all together take too much.
const (
	segmentsAtMost = 16
	segmentSmall   = 4 << 10 // a segment is never smaller
)

// disk is written by the journal's goroutine alone. A nil disk keeps nothing.
type disk struct {
	dir         string
	most        int64
	segmentSize int64
	log         *slog.Logger

	file    *os.File // the newest segment, nil before the first write
	torn    bool     // its last line has no end
	failing bool     // the last write failed

	mu       sync.Mutex
	segments []segment // oldest first
}

type segment struct {
	number int
	size   int64
}

func openDisk(dir string, most int64, log *slog.Logger) (*disk, error) {
	d := &disk{dir: dir, most: most, segmentSize: max(segmentSmall, most/segmentsAtMost), log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(err)
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, unusable(err)
	}
	for _, f := range found {
		number, ok := segmentNumber(f.Name())
		if !ok {
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, unusable(err)
		}
		d.segments = append(d.segments, segment{number: number, size: info.Size()})
	}
	slices.SortFunc(d.segments, func(a, b segment) int { return a.number - b.number })
	if err := d.reopen(); err != nil {
		return nil, unusable(err)
	}
	return d, nil
}

func unusable(err error) error {
	return fault.Wrap(fault.Unavailable, err, "the journal cannot be opened").
		WithRemedy("let the server's user read and write the journal's directory")
}

func (d *disk) path(number int) string {
	return filepath.Join(d.dir, fmt.Sprintf("journal-%06d.log", number))
}

// segmentNumber is the number in the name of a segment.
func segmentNumber(name string) (int, bool) {
	s, ok := strings.CutPrefix(name, "journal-")
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, ".log"); !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n > 0
}

// reopen goes on with the newest segment, behind a line that a crash may have torn.
func (d *disk) reopen() error {
	if len(d.segments) == 0 {
		return nil
	}
	newest := d.segments[len(d.segments)-1]
	f, err := os.OpenFile(d.path(newest.number), os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	d.file = f
	if newest.size == 0 {
		return nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], newest.size-1); err != nil {
		return errors.Join(err, f.Close())
	}
	d.torn = last[0] != '\n'
	return nil
}

// write appends lines. What cannot be written is lost to the files, and the log says so once.
func (d *disk) write(lines []byte) {
	if d == nil || len(lines) == 0 {
		return
	}
	err := d.append(lines)
	switch {
	case err != nil && !d.failing:
		d.log.Error("the journal cannot be written: entries are kept in memory only", slog.Any("err", err))
	case err == nil && d.failing:
		d.log.Info("the journal is written again")
	}
	d.failing = err != nil
}

func (d *disk) append(lines []byte) error {
	if d.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	for len(lines) > 0 {
		if err := d.rotate(); err != nil {
			return err
		}
		n, err := d.file.Write(lines[:d.fitting(lines)])
		d.grew(int64(n))
		d.torn = n > 0 && lines[n-1] != '\n' || n == 0 && d.torn
		if err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// fitting is how many bytes of lines the newest segment takes: whole lines, and at least one.
func (d *disk) fitting(lines []byte) int {
	room := d.segmentSize - d.newest().size
	if int64(len(lines)) <= room {
		return len(lines)
	}
	if n := bytes.LastIndexByte(lines[:max(0, room)], '\n'); n >= 0 {
		return n + 1
	}
	return bytes.IndexByte(lines, '\n') + 1
}

func (d *disk) newest() segment { return d.segments[len(d.segments)-1] }

func (d *disk) grew(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.segments[len(d.segments)-1].size += n
}

// rotate makes sure that there is a segment with room.
func (d *disk) rotate() error {
	if d.file != nil && d.newest().size < d.segmentSize {
		return nil
	}
	number := 1
	if len(d.segments) > 0 {
		number = d.newest().number + 1
	}
	f, err := os.OpenFile(d.path(number), os.O_CREATE|os.O_EXCL|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if d.file != nil {
		err = d.file.Close()
	}
	d.file, d.torn = f, false
	d.mu.Lock()
	defer d.mu.Unlock()
	d.segments = append(d.segments, segment{number: number})
	return errors.Join(err, d.removeOldest())
}

// removeOldest makes room for a whole new segment. Under mu.
func (d *disk) removeOldest() error {
	total := d.segmentSize
	for _, s := range d.segments {
		total += s.size
	}
	for len(d.segments) > 1 && total > d.most {
		if err := os.Remove(d.path(d.segments[0].number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= d.segments[0].size
		d.segments = d.segments[1:]
	}
	return nil
}

func (d *disk) close() error {
	if d == nil || d.file == nil {
		return nil
	}
	return d.file.Close()
}
