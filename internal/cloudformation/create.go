package cloudformation

import (
	"context"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// NewStack is a call of CreateStack.
type NewStack struct {
	Name         string
	Template     string // the text
	Parameters   []Input
	Capabilities []string
	Tags         []iam.Tag
	OnFailure    OnFailure
	Protected    bool
	Timeout      int    // minutes, 0 for none; stacks are made at once
	Token        string // ClientRequestToken: a second call with the same one finds the stack of the first
}

// OnFailure is what becomes of a stack that cannot be made. Nothing of it is there in any case.
type OnFailure string

// The choices (API reference, CreateStack).
const (
	OnFailureRollback  OnFailure = "ROLLBACK" // it stays as ROLLBACK_COMPLETE
	OnFailureNothing   OnFailure = "DO_NOTHING"
	OnFailureDeleteAll OnFailure = "DELETE"
)

// maxTags is how many tags a stack has at most: CloudFormation quotas.
const maxTags = 50

// Create makes a stack. A stack that cannot be made is rolled back and is no error: its status and its events say why.
func (s *Stacks) Create(ctx context.Context, may May, n NewStack) (stackID string, err error) {
	if err := checkName("stackName", n.Name); err != nil {
		return "", err
	}
	want, err := s.desired(n.Template, n.Parameters, nil, n.Capabilities, n.Tags)
	if err != nil {
		return "", err
	}
	err = retry(func() error {
		st, _, err := s.live(ctx, n.Name)
		switch {
		case err == nil && n.Token != "" && st.CreateToken == n.Token:
			stackID = st.ID
			return nil
		case err == nil:
			return refuse(fault.Exists, ErrAlreadyExists, "Stack [%s] already exists", n.Name)
		case !isNoStack(err):
			return err
		}
		if st, err = s.newStack(ctx, n.Name); err != nil {
			return err
		}
		st.Capabilities, st.Protected, st.Timeout, st.CreateToken = n.Capabilities, n.Protected, n.Timeout, n.Token
		st.DisableRollback = n.OnFailure == OnFailureNothing
		ops, err := s.make(ctx, may, st, want, n.Template, n.OnFailure, n.Token)
		if err != nil {
			return err
		}
		stackID = st.ID
		return documents.Commit(s.cfg.Store, append(ops, s.put(st, 0)...)...)
	})
	return stackID, err
}

// desired reads and checks everything of a call that needs no stack.
func (s *Stacks) desired(text string, given []Input, before map[string]string, capabilities []string, tags []iam.Tag) (desired, error) {
	t, err := ParseTemplate(text)
	if err != nil {
		return desired{}, err
	}
	values, err := t.bind(given, before)
	if err != nil {
		return desired{}, err
	}
	if len(tags) > maxTags {
		return desired{}, invalid("%d tags, %d are allowed", len(tags), maxTags)
	}
	return desired{t, values, tags}, t.acknowledged(capabilities)
}

// make brings a stack that has no resources into being, or notes why it cannot be. The operations are all but the stack's
// own document.
func (s *Stacks) make(ctx context.Context, may May, st *Stack, want desired, text string, onFailure OnFailure, token string) ([]store.DocOp, error) {
	st.Template, st.Parameters, st.Tags, st.Description = text, want.parameters, want.tags, want.template.Description
	r := s.record(st, token)
	r.stackIs(CreateInProgress, "User Initiated")
	w := s.work(ctx, may, st)
	a := s.applier(r, w, want)
	err := a.run()
	if err == nil {
		var ops []store.DocOp
		if ops, err = s.exports(ctx, st, nil); err == nil {
			r.stackIs(CreateComplete, "")
			return slices.Concat(w.iam.Ops(), ops, r.ops()), nil
		}
	}
	if !ours(err) {
		return nil, err
	}
	s.undo(a, err, onFailure)
	return r.ops(), nil
}

// undo notes how a stack that cannot be made is taken back.
func (s *Stacks) undo(a *applier, err error, onFailure OnFailure) {
	reason := oneLine(err)
	if a.failed != nil {
		reason = "The following resource(s) failed to create: [" + a.failed.LogicalID + "]. "
	}
	a.stack.Outputs = nil
	if onFailure == OnFailureNothing {
		a.stackIs(CreateFailed, reason)
	} else {
		progress, done := RollbackInProgress, RollbackComplete
		if onFailure == OnFailureDeleteAll {
			progress, done = DeleteInProgress, DeleteComplete
			a.stack.Deleted = a.at
		}
		a.stackIs(progress, strings.TrimSpace(reason)+" Rollback requested by user.")
		defer a.stackIs(done, "")
	}
	left := []Resource{}
	for _, res := range slices.Backward(a.done) {
		a.resourceIs(res, DeleteInProgress, "")
		a.resourceIs(res, DeleteComplete, "")
		left = append([]Resource{*res}, left...)
	}
	if a.failed != nil {
		left = append(left, *a.failed)
	}
	a.stack.Resources = left
}

func (s *Stacks) work(ctx context.Context, may May, st *Stack) *work {
	return &work{keys: s.cfg.Keys, iam: s.cfg.Keys.Begin(ctx), may: may, stack: st.Name}
}

// put writes the document of a stack that was read at a revision, 0 for a new one; one that was deleted moves.
func (s *Stacks) put(st *Stack, rev uint64) []store.DocOp {
	when, id := documents.Absent, uuidOf(st.ID)
	if rev > 0 {
		when = documents.AtRev(rev)
	}
	if st.Status != DeleteComplete {
		return []store.DocOp{documents.Put(stacksBucket, st.Name, st, when), documents.Put(idsBucket, id, idDoc{st.Name}, store.Condition{})}
	}
	ops := []store.DocOp{documents.Put(goneBucket, id, st, documents.Absent), documents.Remove(idsBucket, id, store.Condition{})}
	if rev > 0 {
		ops = append(ops, documents.Remove(stacksBucket, st.Name, when))
	}
	return ops
}

// exports gives the names of exported outputs to a stack, and takes those of before away. A name belongs to one stack.
func (s *Stacks) exports(ctx context.Context, st *Stack, before []Output) ([]store.DocOp, error) {
	var ops []store.DocOp
	has := func(list []Output, name string) bool {
		return slices.ContainsFunc(list, func(o Output) bool { return o.Export == name })
	}
	for i, o := range st.Outputs {
		if o.Export == "" || has(before, o.Export) {
			continue
		}
		_, err := s.cfg.Store.Get(ctx, exportsBucket, o.Export)
		if err == nil || has(st.Outputs[:i], o.Export) {
			return nil, invalid("Export with name %s is already exported by another output or stack", fault.Plain(o.Export))
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		ops = append(ops, documents.Put(exportsBucket, o.Export, exportDoc{st.ID}, documents.Absent))
	}
	for _, o := range before {
		if o.Export != "" && !has(st.Outputs, o.Export) {
			ops = append(ops, documents.Remove(exportsBucket, o.Export, store.Condition{}))
		}
	}
	return ops, nil
}
