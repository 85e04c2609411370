package backend

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds the package to EveryGoroutineIsWaitedFor.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
