//go:build !race

package dataplane

import (
	"testing"

	"github.com/thingwire/thingwire/internal/broker"
)

// TestPublishAllocates holds the hot path to what it needs: the request id and its place in the header, the call, and what
// the policies are asked with.
func TestPublishAllocates(t *testing.T) {
	w := newWorld(t, broker.OpenLimits())
	w.may("allow iot:Publish topic/a/*")
	for uri, most := range map[string]float64{"/topics/a/b": 8, "/topics/a%2Fb?qos=1": 9} {
		a := w.again(uri, "hello, world")
		if n := testing.AllocsPerRun(1000, func() { a.must(t, w.handler) }); n > most {
			t.Errorf("%s: %g allocations, %g are allowed", uri, n, most)
		}
	}
}
