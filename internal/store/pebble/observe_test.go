package pebble

import (
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// Who observes is told of every batch that became durable, once, before its ticket is done.
func TestObserve(t *testing.T) {
	var batches int
	s := mustOpen(t, Options{Dir: t.TempDir(), Observe: func(n int, took time.Duration) {
		batches += n
		if took <= 0 {
			t.Errorf("a group took %v", took)
		}
	}})
	const rounds = 20
	for range rounds {
		b := &store.Batch{Docs: []store.DocOp{{Bucket: "b", Key: "k", Value: []byte("v")}}}
		if err := s.Commit(b).Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if batches != rounds {
		t.Errorf("told of %d batches of %d", batches, rounds)
	}
}
