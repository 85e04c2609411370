package pebble

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustOpen(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// contract runs the suite; each test gets options of its own from make.
func contract(t *testing.T, options func(t *testing.T) Options) {
	used := make(map[store.Store]Options)
	open := func(t *testing.T, opts Options) store.Store {
		s := mustOpen(t, opts)
		used[s] = opts
		return s
	}
	storetest.Run(t,
		func(t *testing.T) store.Store { return open(t, options(t)) },
		func(t *testing.T, s store.Store) store.Store {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, used[s])
		})
}

func TestContractInMemory(t *testing.T) {
	contract(t, func(*testing.T) Options { return Options{Dir: "data", FS: vfs.NewMem()} })
}

func TestContractOnDisk(t *testing.T) {
	contract(t, func(t *testing.T) Options { return Options{Dir: t.TempDir()} })
}

func TestContractRelaxed(t *testing.T) {
	contract(t, func(*testing.T) Options { return Options{Dir: "data", FS: vfs.NewMem(), Relaxed: true} })
}
