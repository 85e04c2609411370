package pebble

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard stands between pebble and the disk. Pebble answers an error of its log with a panic, in some places with its
// locks in a state that ends the process whatever one recovers (closing one log and beginning the next); and an opening
// that fails half-way ends it, too, when a goroutine that reads tables is already running. So pebble never hears of such
// an error: the guard degrades the store first, and from then on pebble dreams.
//
// In the dream all goes well and nothing reaches the disk, which stays as it was at the moment of the error: logs and
// manifests that are open swallow what is written, new files are made in memory, nothing is deleted or renamed. So pebble
// can flush what it has, answer reads and be closed, while the completer, who asks the store, fails every ticket; and
// the directory can be opened anew beside it.
type guard struct {
	vfs.FS
	l     *life
	state *guardState
}

// guardState is shared by all that a guard has opened.
type guardState struct {
	dreaming atomic.Bool
	// real is held for reading by whoever changes something on the disk.
	real sync.RWMutex

	mu    sync.Mutex
	dream *vfs.MemFS // files made in the dream, by their names without a directory
}

func newGuard(fs vfs.FS, l *life) guard { return guard{FS: fs, l: l, state: &guardState{}} }

// fallAsleep begins the dream. What is on its way to the disk may still arrive: see asleep.
func (g guard) fallAsleep() { g.state.dreaming.Store(true) }

// asleep waits until nothing of this pebble is on its way to the disk any more, after fallAsleep.
func (g guard) asleep() {
	g.state.real.Lock()
	defer g.state.real.Unlock()
}

// awake runs fn, which changes the disk, unless this pebble dreams. It notes an error if pebble is not to hear of it.
func (g guard) awake(hush bool, fn func() error) (done bool, err error) {
	g.state.real.RLock()
	defer g.state.real.RUnlock()
	if g.state.dreaming.Load() {
		return false, nil
	}
	err = fn()
	if err != nil && hush {
		g.l.degrade(err)
		return false, nil
	}
	return true, err
}

// mine are the files of the database itself; a checkpoint is somewhere else.
func (g guard) mine(name string) bool { return g.PathDir(name) == g.l.s.opts.Dir }

// isVital says of which files pebble must not hear of an error: it would end the process.
func isVital(base string) bool {
	return isLog(base) || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.") || strings.HasSuffix(base, ".dbtmp")
}

var errDreaming = errors.New("the store is degraded: nothing more is written")

// Create makes a file.
func (g guard) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	if !g.mine(name) {
		return g.FS.Create(name, category)
	}
	vital := isVital(g.PathBase(name))
	done, err := g.awake(vital, func() error {
		if strings.HasPrefix(g.PathBase(name), "marker.") {
			if err := g.syncDir(); err != nil {
				return err
			}
		}
		f, err = g.FS.Create(name, category)
		return err
	})
	if !done {
		return g.dreamUp(name, category)
	}
	if err != nil {
		return nil, err
	}
	return file{f, g, vital}, nil
}

// syncDir makes the names of new files durable. Pebble syncs the directory only after it has made the marker that names a
// new manifest: a power cut could leave the marker without the manifest, and the store could not be opened any more.
func (g guard) syncDir() error {
	d, err := g.FS.OpenDir(g.l.s.opts.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReuseForWrite makes a new log of an old one.
func (g guard) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	done, err := g.awake(true, func() error {
		f, err = g.FS.ReuseForWrite(oldname, newname, category)
		return err
	})
	if !done {
		return g.dreamUp(newname, category)
	}
	if err != nil {
		return nil, err
	}
	return file{f, g, true}, nil
}

// compactionCategory is what pebble says of the files that a compaction makes. They may be large and are of no use in a
// dream; pebble lives with compactions that fail.
const compactionCategory = "pebble-compaction"

func (g guard) dreamUp(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if category == compactionCategory {
		return nil, errDreaming
	}
	g.state.mu.Lock()
	defer g.state.mu.Unlock()
	if g.state.dream == nil {
		g.state.dream = vfs.NewMem()
	}
	return g.state.dream.Create(g.PathBase(name), category)
}

// dreamt gives the file system of the dream if it has the file.
func (g guard) dreamt(name string) vfs.FS {
	if !g.state.dreaming.Load() || !g.mine(name) {
		return nil
	}
	g.state.mu.Lock()
	defer g.state.mu.Unlock()
	if g.state.dream == nil {
		return nil
	}
	if _, err := g.state.dream.Stat(g.PathBase(name)); err != nil {
		return nil
	}
	return g.state.dream
}

// Open opens a file for reading.
func (g guard) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if dream := g.dreamt(name); dream != nil {
		return dream.Open(g.PathBase(name), opts...)
	}
	return g.FS.Open(name, opts...)
}

// Stat looks at a file.
func (g guard) Stat(name string) (vfs.FileInfo, error) {
	if dream := g.dreamt(name); dream != nil {
		return dream.Stat(g.PathBase(name))
	}
	return g.FS.Stat(name)
}

// OpenDir opens a directory, which is there to be synced.
func (g guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil || name != g.l.s.opts.Dir {
		return f, err
	}
	return file{f, g, true}, nil
}

// Remove deletes a file.
func (g guard) Remove(name string) error {
	if dream := g.dreamt(name); dream != nil {
		return dream.Remove(g.PathBase(name))
	}
	_, err := g.awake(false, func() error { return g.FS.Remove(name) })
	return err
}

// RemoveAll deletes a directory.
func (g guard) RemoveAll(name string) error {
	_, err := g.awake(false, func() error { return g.FS.RemoveAll(name) })
	return err
}

// Rename renames a file.
func (g guard) Rename(oldname, newname string) error {
	done, err := g.awake(true, func() error { return g.FS.Rename(oldname, newname) })
	if done {
		return err
	}
	if dream := g.dreamt(oldname); dream != nil {
		return dream.Rename(g.PathBase(oldname), g.PathBase(newname))
	}
	return nil
}

// Link makes a second name of a file, for a checkpoint.
func (g guard) Link(oldname, newname string) error {
	if g.state.dreaming.Load() {
		return errDreaming
	}
	return g.FS.Link(oldname, newname)
}

// Unwrap gives the file system below.
func (g guard) Unwrap() vfs.FS { return g.FS }

// file is one of the database's files, open for writing, or its directory. Of what happens to a vital one pebble hears
// nothing bad; of others it hears that they cannot be written any more, and makes them anew in the dream.
type file struct {
	vfs.File
	g     guard
	vital bool
}

func (f file) do(fn func() error) error {
	done, err := f.g.awake(f.vital, fn)
	if !done && !f.vital {
		return errDreaming
	}
	return err
}

func (f file) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.do(func() error {
		n, err = f.File.Write(p)
		return err
	})
	if err == nil {
		n = len(p)
	}
	return n, err
}

func (f file) Preallocate(offset, length int64) error {
	return f.do(func() error { return f.File.Preallocate(offset, length) })
}

func (f file) Sync() error { return f.do(f.File.Sync) }

func (f file) SyncData() error { return f.do(f.File.SyncData) }

func (f file) SyncTo(length int64) (fullSync bool, err error) {
	err = f.do(func() error {
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Close closes the file below in any case.
func (f file) Close() error {
	err := f.File.Close()
	if err == nil || !f.vital {
		return err
	}
	f.g.l.degrade(err)
	return nil
}

func (f file) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err == nil || !f.vital {
		return info, err
	}
	f.g.l.degrade(err)
	return emptyFile{}, nil
}

// emptyFile describes a log that could not be asked.
type emptyFile struct {
	vfs.FileInfo // of nothing: pebble asks for the size only
}

func (emptyFile) Size() int64 { return 0 }

// Lock is asked by pebble for the directory's lock, which the store has.
func (g guard) Lock(string) (io.Closer, error) { return noLock{}, nil }

type noLock struct{}

func (noLock) Close() error { return nil }

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }
