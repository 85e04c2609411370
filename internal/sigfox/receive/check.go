package receive

import (
	"context"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Check reads all documents of receiving endpoints and says in words what it could not work with. An error is one of
// reading.
func Check(ctx context.Context, s store.Docs) (problems []string, err error) {
	c := documents.Checker{Context: ctx, Store: s}
	d, err := s.Get(ctx, metaBucket, formatKey)
	if err == nil {
		err = formatOf(d)
	}
	if fault.Is(err, fault.Unsupported) {
		c.Problem("%s", err)
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	var r Receiver // compiles for any account
	names := map[string]bool{}
	err = c.Each(endpointsBucket, func(d store.Doc) {
		if e, err := r.decode(d); err != nil {
			c.Problem("receiving endpoint %.80q: %s", d.Key, err)
		} else {
			names[e.Name] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for _, bucket := range []string{downlinksBucket, takenBucket} {
		err := c.Each(bucket, func(d store.Doc) {
			name, device, _ := strings.Cut(d.Key, "/")
			if id, err := deviceID(device); err != nil || id != device || !names[name] {
				c.Problem("document %.80q of %s belongs to no receiving endpoint", d.Key, bucket)
			}
			if err := readable(bucket, d); err != nil {
				c.Problem("%s", err)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return c.Problems, nil
}

func readable(bucket string, d store.Doc) error {
	if bucket == takenBucket {
		_, err := documents.Decode[taken](bucket, d)
		return err
	}
	v, err := documents.Decode[Downlink](bucket, d)
	if err == nil {
		_, err = checkDownlink(v.Data)
	}
	return err
}
