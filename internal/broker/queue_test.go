package broker

import (
	"testing"

	"pgregory.net/rapid"
)

// TestQueueStateAgainstASet compares the trim cursor with a set of all that was acknowledged: the cursor stands before
// the first hole, and done holds what is acknowledged behind it, nothing else.
func TestQueueStateAgainstASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		q := queueState{trimmed: rapid.Uint64Range(0, 3).Draw(t, "trimmed before")}
		start := q.trimmed
		acked := map[uint64]bool{}
		for _, seq := range rapid.SliceOfN(rapid.Uint64Range(1, 30), 0, 60).Draw(t, "acks") {
			q.ack(seq)
			acked[seq] = true
			want := start
			for acked[want+1] {
				want++
			}
			if q.trimmed != want {
				t.Fatalf("after ack of %d: trimmed up to %d, want %d", seq, q.trimmed, want)
			}
			beyond := 0
			for seq := range acked {
				if seq <= want {
					continue
				}
				beyond++
				if _, ok := q.done[seq]; !ok {
					t.Fatalf("%d is acknowledged and forgotten", seq)
				}
			}
			if beyond != len(q.done) {
				t.Fatalf("%d acknowledged beyond %d, %d are kept", beyond, want, len(q.done))
			}
		}
	})
}

// Room is given back as an average: whatever the order, an empty queue holds nothing.
func TestRoomComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := &Broker{limits: Limits{QueueMessages: 100, QueueBytes: 1000}}
		s := &session{}
		held := 0
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "reserve") {
				n := rapid.IntRange(2, 5).Draw(t, "count")
				if s.reserve(b, n, n*rapid.IntRange(0, 40).Draw(t, "size")) == nil {
					held += n
				}
			} else if held > 0 {
				n := rapid.IntRange(1, held).Draw(t, "acknowledged")
				s.forget(int64(n))
				held -= n
			}
			if got := int(s.messages.Load()); got != held || got > 100 {
				t.Fatalf("%d messages are counted, %d are held", got, held)
			}
			if got := s.bytes.Load(); got < 0 || got > 1000 || held == 0 && got != 0 {
				t.Fatalf("%d bytes are counted for %d messages", got, held)
			}
		}
	})
}
