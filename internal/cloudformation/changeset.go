package cloudformation

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// ChangeSet is a change of a stack that waits to be executed.
type ChangeSet struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"` // arn:aws:cloudformation:REGION:ACCOUNT:changeSet/NAME/UUID
	StackName   string    `json:"stackName"`
	StackID     string    `json:"stackId"`
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
	OfNew       bool      `json:"ofNew,omitempty"` // it makes the stack
	Failed      bool      `json:"failed,omitempty"`
	Reason      string    `json:"reason,omitempty"` // why it failed

	Template     string            `json:"template"`
	Parameters   map[string]string `json:"parameters,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Tags         []iam.Tag         `json:"tags,omitempty"`
	OnFailure    OnFailure         `json:"onFailure,omitempty"`
	Changes      []ResourceChange  `json:"changes,omitempty"`
}

// NewChangeSet is a call of CreateChangeSet.
type NewChangeSet struct {
	Name, Stack  string // the stack's name or id
	OfNew        bool   // ChangeSetType CREATE: the stack is not there yet
	Template     string // "" for the one of before
	Parameters   []Input
	Capabilities []string
	Tags         *[]iam.Tag
	Description  string
	OnFailure    OnFailure
}

// errNoChanges is in the words that tools look for.
const errNoChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// maxChangeSets is how many wait for one stack at most.
const maxChangeSets = 100

// CreateChangeSet makes a change set. With OfNew it makes a stack, too, whose status is REVIEW_IN_PROGRESS, until the
// change set is executed. One that failed leaves its name to the next: aws cloudformation deploy gives each the name of its
// second, and here two of them fit into one.
func (s *Stacks) CreateChangeSet(ctx context.Context, n NewChangeSet) (made *ChangeSet, err error) {
	if err := checkName("changeSetName", n.Name); err != nil {
		return nil, err
	}
	err = retry(func() error {
		st, rev, ops, err := s.reviewed(ctx, n)
		if err != nil {
			return err
		}
		sets, err := s.ChangeSets(ctx, st)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(sets, func(c *ChangeSet) bool { return c.Name == n.Name && !c.Failed }) {
			return refuse(fault.Exists, ErrAlreadyExists, "ChangeSet %s already exists", n.Name)
		}
		if len(sets) >= maxChangeSets {
			return refuse(fault.Throttled, ErrLimitExceeded, "the stack has %d change sets, no more are allowed", len(sets))
		}
		if made, err = s.changeSet(ctx, st, n); err != nil {
			return err
		}
		ops = append(ops, documents.Put(setsBucket, setKey(st, n.Name), made, store.Condition{})) // the stack's revision orders them
		return documents.Commit(s.cfg.Store, append(ops, s.put(st, rev)...)...)
	})
	return made, err
}

func setKey(st *Stack, name string) string { return uuidOf(st.ID) + "/" + name }

// reviewed gives the stack of a new change set, a new one with OfNew. Its document is to be written at the revision,
// together with the operations.
func (s *Stacks) reviewed(ctx context.Context, n NewChangeSet) (*Stack, uint64, []store.DocOp, error) {
	st, rev, err := s.live(ctx, n.Stack)
	switch {
	case isNoStack(err) && !n.OfNew:
		return nil, 0, nil, invalid("Stack [%s] does not exist", fault.Plain(n.Stack))
	case isNoStack(err):
		if err := checkName("stackName", n.Stack); err != nil {
			return nil, 0, nil, err
		}
		if st, err = s.newStack(ctx, n.Stack); err != nil {
			return nil, 0, nil, err
		}
		r := s.record(st, "")
		r.stackIs(ReviewInProgress, "User Initiated")
		return st, 0, r.ops(), nil
	case err != nil:
		return nil, 0, nil, err
	case n.OfNew && st.Status != ReviewInProgress:
		return nil, 0, nil, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.Name, n.Name)
	case !n.OfNew:
		return st, rev, nil, updatable(st)
	}
	return st, rev, nil, nil
}

func (s *Stacks) changeSet(ctx context.Context, st *Stack, n NewChangeSet) (*ChangeSet, error) {
	u := Update{Template: n.Template, Parameters: n.Parameters, Capabilities: n.Capabilities, Tags: n.Tags}
	want, text, err := s.wanted(st, u)
	if err != nil {
		return nil, err
	}
	c := &ChangeSet{
		Name: n.Name, ID: s.arn("changeSet/" + n.Name + "/" + uuid.NewString()), StackName: st.Name, StackID: st.ID, Created: s.now(),
		Description: n.Description, OfNew: n.OfNew, Template: text, Parameters: want.parameters, Capabilities: n.Capabilities, Tags: want.tags,
		OnFailure: n.OnFailure,
	}
	unchanged, err := s.rehearse(ctx, st, want, c)
	if err != nil {
		return nil, err
	}
	if unchanged {
		c.Failed, c.Reason = true, errNoChanges
	}
	return c, nil
}

// rehearse finds out what a change set would do. Permissions are asked when it is executed, and what would fail fails
// then.
func (s *Stacks) rehearse(ctx context.Context, st *Stack, want desired, c *ChangeSet) (unchanged bool, err error) {
	copied := *st
	copied.Resources = slices.Clone(st.Resources)
	a := s.applier(s.record(&copied, ""), s.work(ctx, func(string, string) error { return nil }, st), want)
	err = a.run()
	c.Changes = a.change
	if err != nil {
		if a.failed != nil && !slices.ContainsFunc(c.Changes, func(rc ResourceChange) bool { return rc.LogicalID == a.failed.LogicalID }) {
			c.Changes = append(c.Changes, ResourceChange{Action: "Add", LogicalID: a.failed.LogicalID, Type: a.failed.Type})
		}
		if ours(err) {
			err = nil
		}
		return false, err
	}
	return !c.OfNew && a.unchanged(st), nil
}

// ChangeSets gives the change sets of a stack in the order of their names.
func (s *Stacks) ChangeSets(ctx context.Context, st *Stack) ([]*ChangeSet, error) {
	var sets []*ChangeSet
	for c, err := range documents.List[ChangeSet](ctx, s.cfg.Store, setsBucket, uuidOf(st.ID)+"/", "", 0) {
		if err != nil {
			return nil, err
		}
		sets = append(sets, c)
	}
	return sets, nil
}

// ChangeSet finds a change set by its name and its stack, or by its id alone.
func (s *Stacks) ChangeSet(ctx context.Context, stack, nameOrID string) (*ChangeSet, error) {
	notFound := refuse(fault.NotFound, ErrChangeSetNotFound, "ChangeSet [%s] does not exist", fault.Plain(nameOrID))
	var stacks []*Stack
	switch {
	case stack != "":
		st, err := s.Find(ctx, stack)
		if isNoStack(err) {
			return nil, notFound
		}
		if err != nil {
			return nil, err
		}
		stacks = []*Stack{st}
	case !strings.HasPrefix(nameOrID, s.arn("changeSet/")):
		return nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
	default:
		var err error
		if stacks, err = s.List(ctx, false); err != nil {
			return nil, err
		}
	}
	for _, st := range stacks {
		sets, err := s.ChangeSets(ctx, st)
		if err != nil {
			return nil, err
		}
		for _, c := range sets {
			if c.Name == nameOrID || c.ID == nameOrID {
				return c, nil
			}
		}
	}
	return nil, notFound
}

// DeleteChangeSet deletes a change set; one that is not there is none.
func (s *Stacks) DeleteChangeSet(ctx context.Context, stack, nameOrID string) error {
	c, err := s.ChangeSet(ctx, stack, nameOrID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return documents.Commit(s.cfg.Store, documents.Remove(setsBucket, uuidOf(c.StackID)+"/"+c.Name, store.Condition{}))
}

// ExecuteChangeSet does what a change set says, as Create or Update would. The stack has no change sets afterwards.
func (s *Stacks) ExecuteChangeSet(ctx context.Context, may May, stack, nameOrID, token string, disableRollback bool) error {
	return retry(func() error {
		c, err := s.ChangeSet(ctx, stack, nameOrID)
		if err != nil {
			return err
		}
		if c.Failed {
			return refuse(fault.Invalid, ErrInvalidChangeSetStatus, "ChangeSet [%s] cannot be executed in its current status of [FAILED]", c.ID)
		}
		st, rev, err := s.live(ctx, c.StackID)
		if err != nil {
			return err
		}
		if !c.OfNew {
			if err := updatable(st); err != nil {
				return err
			}
		}
		ops, err := s.execute(ctx, may, st, c, token, disableRollback)
		if err != nil {
			return err
		}
		sets, err := s.dropChangeSets(ctx, st)
		if err != nil {
			return err
		}
		return documents.Commit(s.cfg.Store, slices.Concat(ops, sets, s.put(st, rev))...)
	})
}

func (s *Stacks) execute(ctx context.Context, may May, st *Stack, c *ChangeSet, token string, disableRollback bool) ([]store.DocOp, error) {
	t, err := ParseTemplate(c.Template)
	if err != nil {
		return nil, err
	}
	want := desired{t, c.Parameters, c.Tags}
	st.ChangeSetID = c.ID
	if c.OfNew {
		st.Capabilities = c.Capabilities
		onFailure := c.OnFailure
		if disableRollback {
			onFailure = OnFailureNothing
		}
		return s.make(ctx, may, st, want, c.Template, onFailure, token)
	}
	ops, unchanged, err := s.change(ctx, may, st, want, c.Template, Update{Capabilities: c.Capabilities, Token: token})
	if unchanged {
		err = errNoUpdates()
	}
	return ops, err
}

// dropChangeSets removes the change sets of a stack.
func (s *Stacks) dropChangeSets(ctx context.Context, st *Stack) ([]store.DocOp, error) {
	sets, err := s.ChangeSets(ctx, st)
	if err != nil {
		return nil, err
	}
	ops := make([]store.DocOp, 0, len(sets))
	for _, c := range sets {
		ops = append(ops, documents.Remove(setsBucket, setKey(st, c.Name), store.Condition{}))
	}
	return ops, nil
}
