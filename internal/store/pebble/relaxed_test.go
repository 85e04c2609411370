package pebble

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a relaxed store may lose in a power cut: the newest groups, at most maxUnsettled+maxFlights of them, and nothing
// before them; what is left is in its order.
func TestRelaxedLosesTheNewestOnly(t *testing.T) {
	const commits = 300 // each waits for the one before, so each is a group
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			s := mustOpen(t, Options{Dir: "data", FS: fs, Relaxed: true})
			n := 1 + rng.IntN(commits)
			for range n {
				if err := s.Commit(one(1, 10)).Wait(); err != nil {
					t.Fatal(err)
				}
			}
			after := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again := mustOpen(t, Options{Dir: "data", FS: after, Relaxed: true})
			audit(t, again) // no holes: what is lost is the end
			st, err := again.QueueStats(t.Context(), 1)
			if err != nil || int(st.Last) > n || n-int(st.Last) > maxUnsettled+maxFlights {
				t.Errorf("%d were acknowledged, %+v are there, %v", n, st, err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A relaxed store that is closed in order has lost nothing.
func TestRelaxedCloseIsDurable(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, Options{Dir: "data", FS: fs, Relaxed: true})
	for range 100 {
		if err := s.Commit(one(1, 10)).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, Options{Dir: "data", FS: fs.CrashClone(vfs.CrashCloneCfg{})})
	if st, err := again.QueueStats(t.Context(), 1); err != nil || st.Last != 100 {
		t.Errorf("%+v, %v", st, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
