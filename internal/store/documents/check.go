package documents

import (
	"context"
	"fmt"

	"github.com/thingwire/thingwire/internal/store"
)

// maxProblems is how many problems a Checker names.
const maxProblems = 100

// Checker reads documents and notes in words what is wrong with them.
type Checker struct {
	Context  context.Context //nolint:containedctx // a Checker lives as long as one check
	Store    store.Docs
	Problems []string // at most 100
}

// Problem notes one.
func (c *Checker) Problem(format string, args ...any) {
	if len(c.Problems) < maxProblems {
		c.Problems = append(c.Problems, fmt.Sprintf(format, args...))
	}
}

// Each reads the documents of a bucket. An error is one of reading.
func (c *Checker) Each(bucket string, fn func(d store.Doc)) error {
	for d, err := range c.Store.List(c.Context, bucket, "", "", 0) {
		if err != nil {
			return err
		}
		fn(d)
	}
	return nil
}
