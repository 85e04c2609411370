package cloudformation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Config is what Stacks needs. Store and Keys are required, and are of one store.
type Config struct {
	Account, Region string
	Store           store.Store
	Keys            *iam.Directory

	Now func() time.Time // time.Now when nil
}

// Stacks makes, changes and removes stacks. It is safe for concurrent use and has no goroutines.
type Stacks struct {
	cfg   Config
	sweep atomic.Int64 // before this Unix time no deleted stack is due to be forgotten
}

// Open starts on a store.
func Open(ctx context.Context, cfg Config) (*Stacks, error) {
	if cfg.Store == nil || cfg.Keys == nil {
		return nil, errors.New("cloudformation: Config.Store or Config.Keys is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Stacks{cfg: cfg}, checkFormat(ctx, cfg.Store)
}

// May asks the policies of whoever calls; its error is the refusal.
type May func(action, resource string) error

func (s *Stacks) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

func (s *Stacks) arn(resource string) string {
	return "arn:aws:cloudformation:" + s.cfg.Region + ":" + s.cfg.Account + ":" + resource
}

// pseudo are the pseudo parameters of a stack.
func (s *Stacks) pseudo(st *Stack) map[string]string {
	suffix := "amazonaws.com"
	if strings.HasPrefix(s.cfg.Region, "cn-") {
		suffix = "amazonaws.com.cn"
	}
	return map[string]string{
		"AWS::AccountId": s.cfg.Account, "AWS::Region": s.cfg.Region, "AWS::Partition": "aws", "AWS::URLSuffix": suffix,
		"AWS::StackName": st.Name, "AWS::StackId": st.ID,
	}
}

// uuidOf is the last part of a stack's id.
func uuidOf(stackID string) string { return stackID[strings.LastIndexByte(stackID, '/')+1:] }

// maxStacks is how many stacks there are at most: CloudFormation quotas. Those that are made at the same moment may be
// some more.
const maxStacks = 2000

// newStack makes the document of a stack.
func (s *Stacks) newStack(ctx context.Context, name string) (*Stack, error) {
	n := 0
	for _, err := range s.cfg.Store.List(ctx, idsBucket, "", "", 0) {
		if err != nil {
			return nil, err
		}
		n++
	}
	if n >= maxStacks {
		return nil, refuse(fault.Throttled, ErrLimitExceeded, "Limit for stack has been exceeded: there are %d", n).
			WithRemedy("delete one first: aws cloudformation list-stacks, delete-stack")
	}
	return &Stack{Name: name, ID: s.arn("stack/" + name + "/" + uuid.NewString()), Created: s.now()}, nil
}

// checkName holds the name of a stack or a change set against its pattern (API reference, CreateStack).
func checkName(what, name string) error {
	ok := name != "" && len(name) <= 128 && (name[0]|0x20 >= 'a' && name[0]|0x20 <= 'z')
	ok = ok && alphanumeric(strings.ReplaceAll(name, "-", "0"), 128)
	if !ok {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", fault.Plain(name), what)
	}
	return nil
}

// CheckStack holds what names a stack, a name or an id, against its pattern.
func CheckStack(nameOrID string) error {
	if strings.HasPrefix(nameOrID, "arn:") && len(nameOrID) <= 1600 {
		return nil
	}
	return checkName("stackName", nameOrID)
}

// noStack is in the words that tools look for.
func noStack(name string) error {
	return invalid("Stack with id %s does not exist", fault.Plain(name))
}

// isNoStack reports whether an error is noStack: its code says nothing.
func isNoStack(err error) bool {
	e, ok := errors.AsType[*fault.Error](err)
	return ok && strings.HasPrefix(e.Cause, "Stack with id ") && strings.HasSuffix(e.Cause, " does not exist")
}

// live reads a stack that is there by its name or id.
func (s *Stacks) live(ctx context.Context, nameOrID string) (*Stack, uint64, error) {
	name := nameOrID
	if id, ok := s.asID(nameOrID); ok {
		d, _, err := documents.Load[idDoc](ctx, s.cfg.Store, idsBucket, id)
		if fault.Is(err, fault.NotFound) {
			return nil, 0, noStack(nameOrID)
		}
		if err != nil {
			return nil, 0, err
		}
		name = d.Name
	}
	st, rev, err := documents.Load[Stack](ctx, s.cfg.Store, stacksBucket, name)
	if fault.Is(err, fault.NotFound) || err == nil && name != nameOrID && st.ID != nameOrID {
		return nil, 0, noStack(nameOrID)
	}
	return st, rev, err
}

// asID reads the UUID of what looks like a stack's id.
func (s *Stacks) asID(text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, s.arn("stack/"))
	if !ok {
		return "", false
	}
	_, id, ok := strings.Cut(rest, "/")
	return id, ok
}

// Find reads a stack by its name, or by its id also when it was deleted.
func (s *Stacks) Find(ctx context.Context, nameOrID string) (*Stack, error) {
	st, _, err := s.live(ctx, nameOrID)
	if !isNoStack(err) {
		return st, err
	}
	id, ok := s.asID(nameOrID)
	if !ok {
		return nil, err
	}
	st, _, loadErr := documents.Load[Stack](ctx, s.cfg.Store, goneBucket, id)
	if fault.Is(loadErr, fault.NotFound) || loadErr == nil && st.ID != nameOrID {
		return nil, err
	}
	return st, loadErr
}

// ARN is what permission is asked for about a stack: its id, or a pattern of ids where none is there.
func (s *Stacks) ARN(ctx context.Context, nameOrID string) (string, error) {
	st, err := s.Find(ctx, nameOrID)
	switch {
	case err == nil:
		return st.ID, nil
	case !isNoStack(err):
		return "", err
	case strings.HasPrefix(nameOrID, "arn:"):
		return nameOrID, nil
	}
	return s.arn("stack/" + nameOrID + "/*"), nil
}

// List gives the stacks that are there in the order of their names, and with gone those that were deleted before them.
func (s *Stacks) List(ctx context.Context, gone bool) ([]*Stack, error) {
	buckets := []string{stacksBucket}
	if gone {
		buckets = []string{goneBucket, stacksBucket}
	}
	var list []*Stack
	for _, bucket := range buckets {
		for st, err := range documents.List[Stack](ctx, s.cfg.Store, bucket, "", "", 0) {
			if err != nil {
				return nil, err
			}
			list = append(list, st)
		}
	}
	return list, nil
}

// Events gives the events of a stack, the newest first.
func (s *Stacks) Events(ctx context.Context, nameOrID string) (*Stack, []Event, error) {
	st, err := s.Find(ctx, nameOrID)
	if err != nil {
		return nil, nil, err
	}
	events := make([]Event, 0, st.Events)
	for e, err := range documents.List[Event](ctx, s.cfg.Store, eventsBucket, uuidOf(st.ID)+"/", "", 0) {
		if err != nil {
			return nil, nil, err
		}
		events = append(events, *e)
	}
	slices.Reverse(events)
	return st, events, nil
}

// retry runs op again while another one changes the same documents.
func retry(op func() error) error {
	const tries = 20
	var err error
	for range tries {
		err = op()
		if !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return fault.Wrap(fault.Unavailable, err, "too many changes of one stack at once").WithRemedy("try again")
}
