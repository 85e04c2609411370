package cloudformation

import (
	"context"
	"slices"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Update is a call of UpdateStack.
type Update struct {
	Stack        string // name or id
	Template     string // the text; "" for the one of before
	Parameters   []Input
	Capabilities []string
	Tags         *[]iam.Tag // those of before when nil
	Token        string
}

// errNoUpdates is in the words that tools look for.
func errNoUpdates() error { return invalid("No updates are to be performed.") }

// Update changes a stack. One that cannot be changed stays as it was and is no error: its status and its events say why.
// Change sets that waited were made for what the stack was, and are dropped.
func (s *Stacks) Update(ctx context.Context, may May, u Update) (stackID string, err error) {
	err = retry(func() error {
		st, rev, err := s.live(ctx, u.Stack)
		if isNoStack(err) {
			return invalid("Stack [%s] does not exist", fault.Plain(u.Stack))
		}
		if err != nil {
			return err
		}
		if err := updatable(st); err != nil {
			return err
		}
		want, text, err := s.wanted(st, u)
		if err != nil {
			return err
		}
		stackID = st.ID
		ops, unchanged, err := s.change(ctx, may, st, want, text, u)
		if err != nil {
			return err
		}
		if unchanged {
			return errNoUpdates()
		}
		sets, err := s.dropChangeSets(ctx, st)
		if err != nil {
			return err
		}
		return documents.Commit(s.cfg.Store, slices.Concat(ops, sets, s.put(st, rev))...)
	})
	return stackID, err
}

// wanted is what an update asks for, with what it takes over from the stack.
func (s *Stacks) wanted(st *Stack, u Update) (desired, string, error) {
	text, tags := u.Template, st.Tags
	if text == "" {
		text = st.Template
	}
	if u.Tags != nil {
		tags = *u.Tags
	}
	want, err := s.desired(text, u.Parameters, st.Parameters, u.Capabilities, tags)
	return want, text, err
}

// updatable refuses stacks that can only be deleted.
func updatable(st *Stack) error {
	switch st.Status {
	case CreateComplete, UpdateComplete, UpdateRollbackComplete:
		return nil
	case CreateInProgress, CreateFailed, RollbackInProgress, RollbackComplete, UpdateInProgress, UpdateCleanupInProgress, UpdateFailed,
		UpdateRollbackInProgress, DeleteInProgress, DeleteComplete, DeleteFailed, DeleteSkipped, ReviewInProgress:
	}
	return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
}

// change brings a stack to what is wanted, or notes why it stays as it was. The operations are all but the stack's own
// document.
func (s *Stacks) change(ctx context.Context, may May, st *Stack, want desired, text string, u Update) (ops []store.DocOp, unchanged bool, err error) {
	before := *st
	before.Resources = slices.Clone(st.Resources)
	r := s.record(st, u.Token)
	r.stackIs(UpdateInProgress, "User Initiated")
	w := s.work(ctx, may, st)
	a := s.applier(r, w, want)
	err = a.run()
	if err == nil {
		if a.unchanged(&before) {
			return nil, true, nil
		}
		st.Template, st.Parameters, st.Tags, st.Description = text, want.parameters, want.tags, want.template.Description
		st.Capabilities, st.Updated = u.Capabilities, r.at
		if ops, err = s.exports(ctx, st, before.Outputs); err == nil {
			r.stackIs(UpdateCleanupInProgress, "")
			r.stackIs(UpdateComplete, "")
			return slices.Concat(w.iam.Ops(), ops, r.ops()), false, nil
		}
	}
	if !ours(err) {
		return nil, false, err
	}
	reason := oneLine(err)
	if a.failed != nil {
		reason = "The following resource(s) failed to update: [" + a.failed.LogicalID + "]."
	}
	r.stackIs(UpdateRollbackInProgress, reason)
	r.stackIs(UpdateRollbackComplete, "")
	after := before
	after.Status, after.Reason, after.Updated = st.Status, st.Reason, r.at
	*st = after
	return r.ops(), false, nil
}

// Protect sets or clears a stack's protection against deletion.
func (s *Stacks) Protect(ctx context.Context, nameOrID string, protected bool) (stackID string, err error) {
	err = retry(func() error {
		st, rev, err := s.live(ctx, nameOrID)
		if isNoStack(err) {
			return invalid("Stack [%s] does not exist", fault.Plain(nameOrID))
		}
		if err != nil {
			return err
		}
		st.Protected, stackID = protected, st.ID
		return documents.Commit(s.cfg.Store, s.put(st, rev)...)
	})
	return stackID, err
}

// Delete deletes a stack and all that it made, but for what retain names (of a stack whose deletion failed before) and
// what its template retains. A stack that is not there is none; one that cannot be deleted is no error: its status and
// its events say why.
func (s *Stacks) Delete(ctx context.Context, may May, nameOrID, token string, retain []string) error {
	return retry(func() error {
		st, rev, err := s.live(ctx, nameOrID)
		if isNoStack(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if st.Protected {
			return invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
		}
		if len(retain) > 0 && st.Status != DeleteFailed {
			return invalid("Invalid operation on stack [%s]. Specify resources to retain only when the stack is in the DELETE_FAILED state", st.Name)
		}
		ops, err := s.demolish(ctx, may, st, token, retain)
		if err != nil {
			return err
		}
		old, err := s.forgotten(ctx)
		if err != nil {
			return err
		}
		return documents.Commit(s.cfg.Store, slices.Concat(ops, old, s.put(st, rev))...)
	})
}

// demolish removes the resources of a stack, or notes why it cannot.
func (s *Stacks) demolish(ctx context.Context, may May, st *Stack, token string, retain []string) ([]store.DocOp, error) {
	r := s.record(st, token)
	r.stackIs(DeleteInProgress, "User Initiated")
	w := s.work(ctx, may, st)
	if t, err := ParseTemplate(st.Template); err != nil || t.hasSecrets() {
		r.hide = true
	}
	a := &applier{record: r, w: w}
	was := slices.Clone(st.Resources)
	for i := range slices.Backward(st.Resources) {
		res := &st.Resources[i]
		if res.Status == DeleteComplete || res.PhysicalID == "" { // of a stack that was rolled back
			continue
		}
		err := a.remove(res, retain)
		if err == nil {
			continue
		}
		if !ours(err) {
			return nil, err
		}
		r.stackIs(DeleteFailed, "The following resource(s) failed to delete: ["+res.LogicalID+"]. ")
		was[i] = *res
		st.Resources = was
		return r.ops(), nil
	}
	outputs := st.Outputs
	st.Outputs, st.Deleted = nil, r.at
	ops, err := s.exports(ctx, st, outputs)
	if err != nil {
		return nil, err
	}
	sets, err := s.dropChangeSets(ctx, st)
	if err != nil {
		return nil, err
	}
	r.stackIs(DeleteComplete, "")
	st.Outputs = outputs
	return slices.Concat(w.iam.Ops(), ops, sets, r.ops()), nil
}

// forgotten removes what was deleted long ago, a few stacks at a time. It looks through the deleted stacks only when one
// is due.
func (s *Stacks) forgotten(ctx context.Context) ([]store.DocOp, error) {
	const atOnce = 10
	now := s.now()
	if now.Unix() < s.sweep.Load() {
		return nil, nil
	}
	next := now.Add(keepGone) // of one that is deleted from now on
	var ops []store.DocOp
	stacks := 0
	for d, err := range s.cfg.Store.List(ctx, goneBucket, "", "", 0) {
		if err != nil {
			return nil, err
		}
		st, err := documents.Decode[Stack](goneBucket, d)
		if err != nil {
			continue // Check tells of what cannot be read
		}
		if due := st.Deleted.Add(keepGone); due.After(now) {
			if due.Before(next) {
				next = due
			}
			continue
		}
		if stacks++; stacks > atOnce {
			break
		}
		ops = append(ops, documents.Remove(goneBucket, d.Key, store.Condition{}))
		for n := range st.Events {
			ops = append(ops, documents.Remove(eventsBucket, eventKey(d.Key, n), store.Condition{}))
		}
	}
	if stacks == 0 {
		s.sweep.Store(next.Unix())
	}
	return ops, nil
}
