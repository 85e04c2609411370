//go:build !race

package gateway

import (
	"fmt"
	"testing"
)

// TestPublishAllocations holds the numbers: what one message costs from the publisher's socket to those of all its
// receivers, PUBACKs both ways included. To one receiver nothing; to many, the wire form that they share: its bytes and
// its slice.
func TestPublishAllocations(t *testing.T) { testAllocations(t, newFan) }

// TestWebSocketAllocations: frames cost nothing more.
func TestWebSocketAllocations(t *testing.T) { testAllocations(t, newWebFan) }

func testAllocations(t *testing.T, newFan func(t testing.TB, v, qos byte, receivers int) *fan) {
	for _, tt := range []struct {
		qos       byte
		receivers int
		most      float64 // per message; batches cost a little of their own
	}{
		{0, 1, 0.2},
		{1, 1, 0.2},
		{0, 100, 2.3},
		{1, 100, 2.3},
	} {
		for _, v := range []byte{3, 5} {
			t.Run(fmt.Sprintf("v%d qos%d %d", v, tt.qos, tt.receivers), func(t *testing.T) {
				f := newFan(t, v, tt.qos, tt.receivers)
				for range 20 {
					f.round()
				}
				// Pools that the collector empties and receivers that are late only ever add: the least is what it costs.
				got := testing.AllocsPerRun(100, f.round) / fanBatch
				for range 4 {
					if got <= tt.most {
						break
					}
					got = min(got, testing.AllocsPerRun(100, f.round)/fanBatch)
				}
				t.Logf("%.2f allocations per message", got)
				if got > tt.most {
					t.Errorf("%.2f allocations per message, at most %.2f are expected", got, tt.most)
				}
			})
		}
	}
}
