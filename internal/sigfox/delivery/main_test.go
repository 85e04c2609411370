package delivery

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds the package to EveryGoroutineIsWaitedFor: when the tests are over, so is everything they started.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
