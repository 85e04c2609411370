package pebble

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard stands between pebble and the disk. Pebble answers an error of its log with a panic, in some places with its
// locks in a state that ends the process whatever one recovers (closing one log and beginning the next). So pebble never
// hears of such an error: the guard degrades the store first, and from then on tells pebble that all is well with the
// log, while nothing is written to it and the completer, who asks the store, fails every ticket.
//
// Since pebble now believes more than is true, nothing may be deleted, renamed or used again any more: what was durable
// at the moment of the error stays.
type guard struct {
	vfs.FS
	s *Store
}

// bad notes an error of the log or of a directory, and reports whether pebble is to be told a story from now on. While
// the store is being opened it is told the truth.
func (g guard) bad(err error) bool {
	if !g.s.serving.Load() {
		return false
	}
	if err != nil {
		g.s.degrade(err)
		return true
	}
	return g.s.degraded.Load()
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

// Create makes a file. The log behind an error is one in memory.
func (g guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if !isLog(name) {
		return g.FS.Create(name, category)
	}
	if g.bad(nil) {
		return g.deadLog()
	}
	f, err := g.FS.Create(name, category)
	return g.log(f, err)
}

// ReuseForWrite makes a new log of an old one.
func (g guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if g.bad(nil) {
		return g.deadLog()
	}
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	return g.log(f, err)
}

func (g guard) log(f vfs.File, err error) (vfs.File, error) {
	if err == nil {
		return logFile{f, g}, nil
	}
	if g.bad(err) {
		return g.deadLog()
	}
	return nil, err
}

func (g guard) deadLog() (vfs.File, error) {
	return vfs.NewMem().Create("dead.log", vfs.WriteCategoryUnspecified)
}

// OpenDir opens a directory, which is there to be synced.
func (g guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return dirFile{f, g}, nil
}

// Remove deletes a file while the store is healthy.
func (g guard) Remove(name string) error {
	if g.bad(nil) {
		return g.keep(name)
	}
	return g.FS.Remove(name)
}

// RemoveAll deletes a directory while the store is healthy.
func (g guard) RemoveAll(name string) error {
	if g.bad(nil) {
		return g.keep(name)
	}
	return g.FS.RemoveAll(name)
}

// Rename renames a file while the store is healthy.
func (g guard) Rename(oldname, newname string) error {
	if g.bad(nil) {
		return g.keep(oldname)
	}
	return g.FS.Rename(oldname, newname)
}

func (g guard) keep(name string) error {
	return fmt.Errorf("%s is kept: the store is degraded", name)
}

// Unwrap gives the file system below.
func (g guard) Unwrap() vfs.FS { return g.FS }

// logFile is a log whose errors pebble does not hear of.
type logFile struct {
	vfs.File
	g guard
}

func (f logFile) Write(p []byte) (int, error) {
	if f.g.bad(nil) {
		return len(p), nil
	}
	n, err := f.File.Write(p)
	if err != nil && f.g.bad(err) {
		return len(p), nil
	}
	return n, err
}

func (f logFile) Sync() error { return f.hush(f.File.Sync) }

func (f logFile) SyncData() error { return f.hush(f.File.SyncData) }

func (f logFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.hush(func() error {
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

func (f logFile) Close() error {
	if err := f.File.Close(); err != nil && !f.g.bad(err) {
		return err
	}
	return nil
}

func (f logFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err == nil || !f.g.bad(err) {
		return info, err
	}
	return emptyFile{}, nil
}

func (f logFile) hush(sync func() error) error {
	if f.g.bad(nil) {
		return nil
	}
	if err := sync(); err != nil && !f.g.bad(err) {
		return err
	}
	return nil
}

// dirFile is a directory; pebble panics if it cannot be synced after a new log was made.
type dirFile struct {
	vfs.File
	g guard
}

func (f dirFile) Sync() error {
	if err := f.File.Sync(); err != nil && !f.g.bad(err) {
		return err
	}
	return nil
}

// emptyFile describes a log that could not be asked.
type emptyFile struct {
	vfs.FileInfo // of nothing: pebble asks for the size only
}

func (emptyFile) Size() int64 { return 0 }
