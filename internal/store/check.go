package store

import (
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// Check is for drivers: it says what is wrong with the form of the batch, as fault.Invalid.
func (b *Batch) Check() error {
	for i := range b.Docs {
		bucket := b.Docs[i].Bucket
		if bucket == "" || strings.IndexByte(bucket, 0) >= 0 {
			return fault.New(fault.Invalid, "a bucket cannot be named %q", bucket)
		}
	}
	for i := range b.Appends {
		if a := &b.Appends[i]; len(a.Seqs) != len(a.Queues) {
			return fault.New(fault.Invalid, "an append to %d queues has room for %d sequence numbers", len(a.Queues), len(a.Seqs))
		}
	}
	return nil
}

// Check is for drivers: it compares the condition with the revision of the document that is there (0 for none) and
// returns nil or fault.Conflict.
func (c Condition) Check(bucket, key string, rev uint64) error {
	if c.Absent && rev != 0 {
		return fault.New(fault.Conflict, "document %s/%s is there already, with revision %d", bucket, key, rev)
	}
	if c.Rev == 0 || c.Rev == rev {
		return nil
	}
	if rev == 0 {
		return fault.New(fault.Conflict, "document %s/%s is not there; revision %d was expected", bucket, key, c.Rev)
	}
	return fault.New(fault.Conflict, "document %s/%s has revision %d, not %d", bucket, key, rev, c.Rev)
}
