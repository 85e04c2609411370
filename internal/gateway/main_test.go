package gateway

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain is EveryGoroutineIsWaitedFor for the whole room: a goroutine that outlives Shutdown fails the run.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
