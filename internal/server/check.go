package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/registry"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// CheckReport is what Check has read.
type CheckReport struct {
	DataDir   string   `json:"dataDir"`
	Running   bool     `json:"running"` // a server was running, and a checkpoint of its store was checked
	Documents int      `json:"documents"`
	Queues    int      `json:"queues"`
	Messages  int      `json:"messages"`
	Problems  []string `json:"problems"`
}

// Check reads everything in a data directory and says in words what is wrong. It changes nothing. Where a server runs, it
// checks what the store was at the moment of the call.
func Check(ctx context.Context, dataDir string) (_ *CheckReport, err error) {
	now, err := hold(ctx, dataDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, now.release()) }()
	report := &CheckReport{DataDir: dataDir, Running: now.running, Problems: []string{}}
	if _, _, err := readInstance(dataDir); err != nil {
		report.Problems = append(report.Problems, err.Error())
	}
	s, err := pebble.Open(pebble.Options{Dir: now.dir, ReadOnly: true, Locked: !now.running})
	if err != nil {
		if err = now.gone(err); fault.Is(err, fault.Unsupported) {
			return nil, err
		}
		report.Problems = append(report.Problems, err.Error())
		return report, nil
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return report, now.gone(report.read(ctx, s))
}

// roomBuckets are what the names of the buckets of a room begin with; the broker's are names of their own.
var roomBuckets = []string{"registry/", "iam/", "cloudformation/", "sigfox/", "sigfox-receive/"}

// strangers names the buckets that belong to no room: a newer thingwire has written them, or another program.
func (r *CheckReport) strangers(buckets map[string]int) {
	for _, bucket := range slices.Sorted(maps.Keys(buckets)) {
		known := broker.Owns(bucket) || slices.ContainsFunc(roomBuckets, func(room string) bool { return strings.HasPrefix(bucket, room) })
		if !known {
			r.Problems = append(r.Problems, fmt.Sprintf("bucket %q with documents (%d) belongs to nothing that this thingwire knows", bucket, buckets[bucket]))
		}
	}
}

// read lets each room look at what is its own.
func (r *CheckReport) read(ctx context.Context, s *pebble.Store) error {
	seen, err := s.Check(ctx)
	if err != nil {
		return err
	}
	r.Documents, r.Queues, r.Messages = seen.Documents, seen.Queues, seen.Entries
	r.Problems = append(r.Problems, seen.Problems...)
	r.strangers(seen.Buckets)
	key, err := iam.ReadKeyFile(filepath.Join(r.DataDir, sealingKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.Problems = append(r.Problems, err.Error())
	}
	for _, room := range []func() ([]string, error){
		func() ([]string, error) { return broker.Check(ctx, s) },
		func() ([]string, error) { return registry.Check(ctx, s) },
		func() ([]string, error) { return iam.Check(ctx, s, key) },
		func() ([]string, error) { return backend.Check(ctx, s) },
		func() ([]string, error) { return receive.Check(ctx, s) },
		func() ([]string, error) { return cloudformation.Check(ctx, s) },
	} {
		problems, err := room()
		if err != nil && ctx.Err() == nil {
			problems = append(problems, err.Error()) // what cannot be read is what was looked for
		} else if err != nil {
			return err
		}
		r.Problems = append(r.Problems, problems...)
	}
	return nil
}
