//go:build !unix

package registry

import "time"

// processorTime is not known here.
func processorTime() time.Duration { return 0 }
