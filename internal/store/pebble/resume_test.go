package pebble

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/storetest"
)

// A store whose disk failed goes on by itself when the disk is well again, wherever the error hit it.
func TestResume(t *testing.T) {
	for _, c := range degradations {
		for _, relaxed := range []bool{false, true} {
			if relaxed && c.part != "" && c.part != ".log" {
				continue // the same as without
			}
			t.Run(fmt.Sprintf("%s/relaxed=%v", c.name, relaxed), func(t *testing.T) {
				storetest.RunResume(t, func(t *testing.T) (store.Store, storetest.Ground) {
					brk := &breaker{part: c.part, begin: c.begin, sync: c.sync, err: c.err}
					s := mustOpen(t, Options{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), brk), Retry: time.Millisecond, Relaxed: relaxed})
					broken := func() { brk.broken.Store(true) }
					if relaxed || c.part != "" && c.part != ".log" || c.begin {
						broken = func() { brk.broken.Store(true); provoke(t, s) }
					}
					return &checked{s, t}, storetest.Ground{Break: broken, Mend: func() { brk.broken.Store(false) }}
				})
			})
		}
	}
}

// provoke makes a store write all kinds of files until it meets the error.
func provoke(t *testing.T, s *Store) {
	t.Helper()
	for s.Degraded() == nil {
		if err := s.Commit(&store.Batch{Docs: []store.DocOp{{Bucket: "provoke", Key: "k"}}}).Wait(); err != nil {
			continue
		}
		l, err := s.enter()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = l.db.AsyncFlush() // an error degrades the store
		l.leave()
	}
}

// checked audits the store before it is closed.
type checked struct {
	*Store
	t *testing.T
}

func (c *checked) Close() error {
	if c.Degraded() == nil {
		audit(c.t, c.Store)
	}
	return c.Store.Close()
}
