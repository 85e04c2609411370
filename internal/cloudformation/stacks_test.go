package cloudformation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// A stack with a role, a policy on it and on a user, from its making to its end.
func TestLifeOfAStack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.must(second(w.keys.CreateUser(ctx, "ann")))
	text := `{"Description":"d","Parameters":{"T":{"Type":"String"},"N":{"Type":"String","NoEcho":true,"Default":"n"}},` + resources(`
		"P":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Roles":[{"Ref":"R"}],"Users":["ann"]}},
		"R":` + roleText(`,"Description":{"Ref":"T"},"MaxSessionDuration":7200,"Policies":[{"PolicyName":"own","PolicyDocument":`+allow+`}]`))[1:]
	text = text[:len(text)-1] + `,"Outputs":{"Arn":{"Value":{"Fn::GetAtt":["R","Arn"]},"Description":"of R","Export":{"Name":"arn"}}}}`
	st := w.create(NewStack{Name: "st", Template: text, Parameters: []Input{{Key: "T", Value: "one"}}, Tags: []iam.Tag{{Key: "k", Value: "v"}}})
	if st.Status != CreateComplete || st.Description != "d" || len(st.Resources) != 2 || st.Resources[0].LogicalID != "R" {
		t.Fatalf("%+v", st)
	}
	name := st.Resources[0].PhysicalID
	r, err := w.keys.GetRole(ctx, name)
	w.must(err)
	if !strings.HasPrefix(name, "st-R-") || len(name) != len("st-R-")+12 || r.Description != "one" || r.MaxSession != 2*time.Hour || !slices.Equal(r.Tags, st.Tags) {
		t.Errorf("role %+v", r)
	}
	if st.Outputs[0] != (Output{"Arn", r.ARN, "of R", "arn"}) {
		t.Errorf("outputs %+v", st.Outputs)
	}
	policies, err := w.keys.ListRolePolicies(ctx, name)
	users, userErr := w.keys.ListUserPolicies(ctx, "ann")
	if err != nil || userErr != nil || !slices.Equal(policies, []string{"own", "p"}) || !slices.Equal(users, []string{"p"}) {
		t.Errorf("policies %v, %v", policies, users)
	}
	w.sound()
	want(t, second(w.Create(ctx, everything, NewStack{Name: "other", Template: text, Parameters: []Input{{Key: "T", Value: "x"}}})), ErrInsufficientCapabilities, "Requires capabilities : [CAPABILITY_IAM]")
	if other := w.create(NewStack{Name: "other", Template: text, Parameters: []Input{{Key: "T", Value: "x"}}}); other.Status != RollbackComplete {
		t.Errorf("an export of two stacks: %+v", other)
	}

	w.pass(time.Minute)
	id, err := w.Update(ctx, everything, Update{Stack: st.ID, Capabilities: bothCapabilities, Parameters: []Input{{Key: "T", Value: "two"}, {Key: "N", UsePrevious: true}}})
	w.must(err)
	st = w.find("st")
	r, err = w.keys.GetRole(ctx, name)
	if err != nil || st.Status != UpdateComplete || id != st.ID || r.Description != "two" || st.Updated.IsZero() || st.Parameters["N"] != "n" {
		t.Errorf("%+v, %+v, %v", st, r, err)
	}
	want(t, second(w.Update(ctx, everything, Update{Stack: "st", Capabilities: bothCapabilities, Parameters: []Input{{Key: "T", Value: "two"}}})), ErrValidation, "No updates are to be performed.")

	w.must(w.Delete(ctx, everything, "st", "", nil))
	want(t, second(w.Find(ctx, "st")), ErrValidation, "Stack with id st does not exist")
	if gone := w.find(st.ID); gone.Status != DeleteComplete || gone.Deleted.IsZero() {
		t.Errorf("%+v", gone)
	}
	users, err = w.keys.ListUserPolicies(ctx, "ann")
	if roles := w.roles(); err != nil || len(roles) > 0 || len(users) > 0 {
		t.Errorf("left behind: %v %v %v", roles, users, err)
	}
	if story := w.story(st.ID); !slices.Equal(story, []string{
		"st CREATE_IN_PROGRESS", "R CREATE_IN_PROGRESS", "R CREATE_IN_PROGRESS", "R CREATE_COMPLETE",
		"P CREATE_IN_PROGRESS", "P CREATE_IN_PROGRESS", "P CREATE_COMPLETE", "st CREATE_COMPLETE",
		"st UPDATE_IN_PROGRESS", "R UPDATE_IN_PROGRESS", "R UPDATE_COMPLETE", "st UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "st UPDATE_COMPLETE",
		"st DELETE_IN_PROGRESS", "P DELETE_IN_PROGRESS", "P DELETE_COMPLETE", "R DELETE_IN_PROGRESS", "R DELETE_COMPLETE", "st DELETE_COMPLETE",
	}) {
		t.Errorf("story %q", story)
	}
	w.sound()
	again := w.create(NewStack{Name: "st", Template: text, Parameters: []Input{{Key: "T", Value: "one"}}}) // the export is free
	if again.Status != CreateComplete || again.ID == st.ID {
		t.Errorf("%+v", again)
	}
	w.pass(keepGone + time.Second)
	w.must(w.Delete(ctx, everything, "st", "", nil))
	w.pass(keepGone + time.Second)
	w.must(w.Delete(ctx, everything, w.create(NewStack{Name: "x", Template: resources(`"A":` + roleText(""))}).ID, "", nil))
	want(t, second(w.Find(ctx, st.ID)), ErrValidation, "does not exist")
	w.sound()
}

// There is room for so many stacks and no more, also for those that a change set would make.
func TestTooManyStacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	text := resources(`"A":` + roleText(""))
	for i := range maxStacks - 1 {
		w.must(documents.Commit(w.store, documents.Put(idsBucket, uuid.NewString(), idDoc{"s" + strconv.Itoa(i)}, documents.Absent)))
	}
	st := w.create(NewStack{Name: "last", Template: text})
	want(t, second(w.Create(ctx, everything, NewStack{Name: "more", Template: text, Capabilities: []string{"CAPABILITY_IAM"}})), ErrLimitExceeded, "there are 2000")
	want(t, second(w.CreateChangeSet(ctx, NewChangeSet{Name: "c", Stack: "more", OfNew: true, Template: text, Capabilities: []string{"CAPABILITY_IAM"}})), ErrLimitExceeded, "there are 2000")
	w.must(w.Delete(ctx, everything, st.ID, "", nil))
	w.create(NewStack{Name: "more", Template: text})
}

// Stacks that cannot be made leave nothing, and say why.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(second(w.keys.CreateRole(ctx, iam.NewRole{Name: "taken", Trust: trust})))
	first := `"A":` + roleText("")
	second := func(more string) string { return resources(first + `,"B":{"DependsOn":"A",` + roleText(more)[1:]) }
	for _, c := range []struct {
		name, template, why string
	}{
		{"a name that is taken", second(`,"RoleName":"Taken"`), "Role with name Taken already exists"},
		{"a bad name", second(`,"RoleName":"a b"`), "roleName is invalid"},
		{"a bad path", second(`,"Path":"x"`), "path is invalid"},
		{"a trust policy that is text", resources(first + `,"B":{"DependsOn":"A","Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":"{}"}}`), "AssumeRolePolicyDocument must be an object"},
		{"a principal that is none", resources(first + `,"B":{"DependsOn":"A","Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"x"}}}}}`), "is not a principal"},
		{"a policy that is none", second(`,"Policies":[{"PolicyName":"p","PolicyDocument":{}}]`), "has no Statement"},
		{"a policy without a name", second(`,"Policies":[{"PolicyDocument":` + allow + `}]`), "Property PolicyName in Policies cannot be empty"},
		{"policies that are one", second(`,"Policies":{"PolicyName":"p"}`), "must be of type List"},
		{"a policy with a colour", second(`,"Policies":[{"PolicyName":"p","PolicyDocument":` + allow + `,"Colour":"red"}]`), "unsupported property Colour"},
		{"a managed policy", second(`,"ManagedPolicyArns":["arn:aws:iam::aws:policy/X"]`), "managed policy"},
		{"a session of words", second(`,"MaxSessionDuration":"long"`), "Integer"},
		{"a session of a day", second(`,"MaxSessionDuration":86400`), "maxSessionDuration"},
		{"a tag of AWS's", second(`,"Tags":[{"Key":"aws:a","Value":"b"}]`), "aws:a"},
		{"a description that is a list", second(`,"Description":["a"]`), "must be of type String"},
		{"a policy of no role", resources(first + `,"B":{"DependsOn":"A","Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `}}`), "must be non-empty"},
		{"a policy of a role of nobody", resources(first + `,"B":{"DependsOn":"A","Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Roles":["nobody"]}}`), "nobody cannot be found"},
		{"a policy of a user of nobody", resources(first + `,"B":{"DependsOn":"A","Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Users":["nobody"]}}`), "nobody cannot be found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for onFailure, status := range map[OnFailure]Status{"": RollbackComplete, OnFailureNothing: CreateFailed, OnFailureDeleteAll: DeleteComplete} {
				st := w.create(NewStack{Name: "st", Template: c.template, OnFailure: onFailure})
				if st.Status != status {
					t.Errorf("%q: %s, want %s", onFailure, st.Status, status)
				}
				_, events, err := w.Events(ctx, st.ID)
				w.must(err)
				failed := slices.IndexFunc(events, func(e Event) bool { return e.Status == CreateFailed && e.LogicalID == "B" })
				if failed < 0 || !strings.Contains(events[failed].Reason, c.why) {
					t.Errorf("%q: events %+v, want %q", onFailure, events, c.why)
				}
				if roles := w.roles(); !slices.Equal(roles, []string{"taken"}) {
					t.Errorf("%q: left behind %v", onFailure, roles)
				}
				if status != DeleteComplete {
					want(t, secondOf(w.Update(ctx, everything, Update{Stack: "st", Capabilities: bothCapabilities})), ErrValidation, "can not be updated")
				}
				w.must(w.Delete(ctx, everything, "st", "", nil))
			}
			w.sound()
		})
	}
	st := w.create(NewStack{Name: "out", Template: resources(first)[:len(resources(first))-1] + `,"Outputs":{"O":{"Value":{"Ref":"AWS::NoValue"}}}}`})
	if st.Status != RollbackComplete || !slices.Equal(w.roles(), []string{"taken"}) {
		t.Errorf("an output that is none: %+v", st)
	}
}

func secondOf[T any](_ T, err error) error { return err }

// Who calls has to be allowed what the stack does.
func TestStacksActForTheirCaller(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.must(second(w.keys.CreateUser(ctx, "ann")))
	text := func(more string) string {
		return resources(`"A":` + roleText(`,"Tags":[{"Key":"a","Value":"b"}],"Policies":[{"PolicyName":"own","PolicyDocument":`+allow+`}]`+more) +
			`,"P":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Roles":[{"Ref":"A"}],"Users":["ann"]}}`)
	}
	without := func(action string) May {
		return func(asked, resource string) error {
			if asked == action || !strings.HasPrefix(resource, "arn:aws:iam::"+account+":") {
				return fault.New(fault.Denied, "is not authorized to perform: %s on resource: %s", asked, resource)
			}
			return nil
		}
	}
	for _, action := range []string{"iam:CreateRole", "iam:TagRole", "iam:PutRolePolicy", "iam:PutUserPolicy"} {
		id, err := w.Create(ctx, without(action), NewStack{Name: "st", Template: text(""), Capabilities: bothCapabilities})
		w.must(err)
		if st := w.find(id); st.Status != RollbackComplete || len(w.roles()) > 0 {
			t.Errorf("%s: %+v", action, st)
		}
		w.must(w.Delete(ctx, everything, id, "", nil))
	}
	w.create(NewStack{Name: "st", Template: text("")})
	for action, more := range map[string]string{
		"iam:UpdateRole": `,"Description":"x"`, "iam:TagRole": `,"Tags":[]`, "iam:DeleteRolePolicy": `,"Policies":[]`, "iam:UpdateAssumeRolePolicy": "",
	} {
		changed := strings.Replace(text(""), `,"Tags":[{"Key":"a","Value":"b"}],"Policies":[{"PolicyName":"own","PolicyDocument":`+allow+`}]`, more, 1)
		if more == "" {
			changed = strings.Replace(text(""), `"Principal":"*"`, `"Principal":{"AWS":"`+account+`"}`, 1)
		}
		w.must(second(w.Update(ctx, without(action), Update{Stack: "st", Template: changed, Capabilities: bothCapabilities})))
		if st := w.find("st"); st.Status != UpdateRollbackComplete || st.Template != text("") {
			t.Errorf("%s: %+v", action, st)
		}
	}
	for _, action := range []string{"iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DeleteUserPolicy"} {
		w.must(w.Delete(ctx, without(action), "st", "", nil))
		if st := w.find("st"); st.Status != DeleteFailed || len(w.roles()) != 1 {
			t.Errorf("%s: %+v", action, st)
		}
	}
	w.must(w.Delete(ctx, everything, "st", "", nil))
	w.sound()
}

// What an update adds, changes in place, replaces and takes away; one that fails changes nothing.
func TestUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	policyOf := func(role string) string {
		return `"P":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"p","PolicyDocument":` + allow + `,"Roles":[{"Ref":"` + role + `"}]}}`
	}
	before := w.create(NewStack{Name: "st", Template: resources(`"A":` + roleText(`,"Policies":[{"PolicyName":"x","PolicyDocument":`+allow+`},{"PolicyName":"y","PolicyDocument":`+allow+`}]`) +
		`,"B":` + roleText("") + "," + policyOf("A"))})
	a, b := before.Resources[0].PhysicalID, before.Resources[1].PhysicalID
	update := func(text string) *Stack {
		t.Helper()
		w.must(second(w.Update(ctx, everything, Update{Stack: "st", Template: text, Capabilities: bothCapabilities})))
		w.sound()
		return w.find("st")
	}
	policies := func(role string) []string {
		t.Helper()
		names, err := w.keys.ListRolePolicies(ctx, role)
		w.must(err)
		return names
	}
	// B goes, A loses y, C comes, the policy moves from A to C.
	after := update(resources(`"A":` + roleText(`,"Policies":[{"PolicyName":"x","PolicyDocument":`+allow+`}]`) + `,"C":` + roleText("") + "," + policyOf("C")))
	c := after.Resources[1].PhysicalID
	if !slices.Contains(w.roles(), c) || slices.Contains(w.roles(), b) || !slices.Equal(policies(a), []string{"x"}) || !slices.Equal(policies(c), []string{"p"}) {
		t.Errorf("%v: %v %v", w.roles(), policies(a), policies(c))
	}
	// A gets a path, which makes another role of it; the policy follows.
	after = update(resources(`"A":` + roleText(`,"Path":"/p/"`) + "," + policyOf("A")))
	if roles := w.roles(); len(roles) != 1 || roles[0] == a || !slices.Equal(policies(roles[0]), []string{"p"}) || after.Resources[0].PhysicalID != roles[0] {
		t.Errorf("%v, %+v", roles, after.Resources)
	}
	if story := w.story(after.ID); !slices.Contains(story, "C DELETE_COMPLETE") || !slices.Contains(story, "A DELETE_COMPLETE") {
		t.Errorf("story %q", story)
	}
	// A new role whose name is taken.
	w.must(second(w.keys.CreateRole(ctx, iam.NewRole{Name: "taken", Trust: trust})))
	failed := update(resources(`"D":` + roleText(`,"RoleName":"taken"`) + `,"A":` + roleText(`,"Path":"/p/","Description":"x"`)))
	if failed.Status != UpdateRollbackComplete || failed.Template != after.Template || len(failed.Resources) != len(after.Resources) || len(w.roles()) != 2 {
		t.Errorf("%+v", failed)
	}
	if r, err := w.keys.GetRole(ctx, after.Resources[0].PhysicalID); err != nil || r.Description != "" {
		t.Errorf("half an update: %+v, %v", r, err)
	}
	// A resource of another type under the same name.
	after = update(resources(`"A":{"Type":"AWS::IAM::Policy","Properties":{"PolicyName":"q","PolicyDocument":` + allow + `,"Roles":["taken"]}}`))
	if roles := w.roles(); !slices.Equal(roles, []string{"taken"}) || !slices.Equal(policies("taken"), []string{"q"}) || after.Status != UpdateComplete {
		t.Errorf("%v, %+v", roles, after)
	}
	w.must(w.Delete(ctx, everything, "st", "", nil))
	if got := policies("taken"); len(got) > 0 {
		t.Errorf("left behind %v", got)
	}
	want(t, second(w.Update(ctx, everything, Update{Stack: "st", Template: "{}"})), ErrValidation, "Stack [st] does not exist")
}

// What waits for a stack that was changed otherwise is not what anybody looked at.
func TestUpdateDropsChangeSets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.create(NewStack{Name: "st", Template: resources(`"A":` + roleText(""))})
	n := NewChangeSet{Name: "c", Stack: "st", Template: resources(`"A":` + roleText(`,"Description":"x"`)), Capabilities: bothCapabilities}
	w.must(second(w.CreateChangeSet(ctx, n)))
	w.must(second(w.Update(ctx, everything, Update{Stack: "st", Template: resources(`"B":` + roleText("")), Capabilities: bothCapabilities})))
	want(t, w.ExecuteChangeSet(ctx, everything, "st", "c", "", false), ErrChangeSetNotFound, "[c] does not exist")
}

// A value that is not to be shown is in no event.
func TestEventsHideSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	text := `{"Parameters":{"S":{"Type":"String","NoEcho":true}},` + resources(`"A":` + roleText(`,"Description":{"Ref":"S"}`))[1:]
	st := w.create(NewStack{Name: "st", Template: text, Parameters: []Input{{Key: "S", Value: "hush"}}})
	w.must(second(w.Update(ctx, everything, Update{Stack: "st", Parameters: []Input{{Key: "S", Value: "hush-hush"}}, Capabilities: bothCapabilities})))
	w.must(w.Delete(ctx, everything, "st", "", nil))
	_, events, err := w.Events(ctx, st.ID)
	w.must(err)
	if len(events) < 10 || strings.Contains(fmt.Sprint(events), "hush") {
		t.Errorf("%+v", events)
	}
}

// Tags of the stack are tags of its roles, and new tags alone are an update.
func TestStackTags(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := resources(`"A":` + roleText(`,"Tags":[{"Key":"Own","Value":"1"}]`))
	st := w.create(NewStack{Name: "st", Template: text, Tags: []iam.Tag{{Key: "own", Value: "2"}, {Key: "b", Value: "3"}}})
	tags := []iam.Tag{{Key: "c", Value: "4"}}
	w.must(second(w.Update(t.Context(), everything, Update{Stack: "st", Capabilities: bothCapabilities, Tags: &tags})))
	r, err := w.keys.GetRole(t.Context(), st.Resources[0].PhysicalID)
	if err != nil || !slices.Equal(r.Tags, []iam.Tag{{Key: "Own", Value: "1"}, {Key: "c", Value: "4"}}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// What keeps a stack from being deleted, and what a deletion leaves on purpose.
func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	st := w.create(NewStack{Name: "st", Protected: true, Template: resources(`"A":` + roleText("") + `,"B":{"DeletionPolicy":"Retain",` + roleText("")[1:])})
	a, b := st.Resources[0].PhysicalID, st.Resources[1].PhysicalID
	want(t, w.Delete(ctx, everything, "st", "", nil), ErrValidation, "TerminationProtection")
	w.must(second(w.Protect(ctx, "st", false)))
	want(t, w.Delete(ctx, everything, "st", "", []string{"A"}), ErrValidation, "DELETE_FAILED")
	w.must(w.keys.PutRolePolicy(ctx, a, "foreign", allow))
	w.must(w.Delete(ctx, everything, "st", "", nil))
	if st = w.find("st"); st.Status != DeleteFailed || !strings.Contains(st.Resources[0].Reason, "must delete policies first") || len(w.roles()) != 2 {
		t.Errorf("%+v", st)
	}
	w.sound()
	w.must(w.Delete(ctx, everything, "st", "", []string{"A"}))
	if roles := w.roles(); !slices.Equal(roles, []string{a, b}) || w.find(st.ID).Status != DeleteComplete {
		t.Errorf("%v", roles)
	}
	w.must(w.Delete(ctx, everything, "st", "", nil))
	w.must(w.Delete(ctx, everything, st.ID, "", nil))

	st = w.create(NewStack{Name: "st", Template: resources(`"A":` + roleText(""))})
	w.must(w.keys.DeleteRole(ctx, st.Resources[0].PhysicalID)) // somebody was faster
	w.must(w.Delete(ctx, everything, "st", "", nil))
	if w.find(st.ID).Status != DeleteComplete {
		t.Error("a role that is gone keeps its stack")
	}
}

func TestNamesOfStacks(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", "1a", "-a", "a_b", "a b", "ä", strings.Repeat("a", 129), "arn:aws:cloudformation:us-east-1:" + account + ":stack/x/y"} {
		_, err := w.Create(t.Context(), everything, NewStack{Name: name, Template: resources(`"A":` + roleText("")), Capabilities: bothCapabilities})
		t.Run(name, func(t *testing.T) { want(t, err, ErrValidation, "stackName") })
	}
	long := strings.Repeat("s", 128)
	st := w.create(NewStack{Name: long, Template: resources(`"A":` + roleText(""))})
	if name := st.Resources[0].PhysicalID; len(name) != 64 || !strings.HasPrefix(name, long[:51]+"-") {
		t.Errorf("the role is %s", name)
	}
}

// A stack under review, its change sets, and what becomes of them.
func TestChangeSets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	n := NewChangeSet{Name: "one", Stack: "st", OfNew: true, Template: resources(`"A":` + roleText("")), Capabilities: bothCapabilities}
	made, err := w.CreateChangeSet(ctx, n)
	w.must(err)
	if st := w.find("st"); st.Status != ReviewInProgress || len(w.roles()) > 0 || made.Changes[0].Action != "Add" {
		t.Errorf("%+v, %+v", st, made)
	}
	want(t, second(w.CreateChangeSet(ctx, n)), ErrAlreadyExists, "ChangeSet one already exists")
	n.Name, n.Template = "two", resources(`"B":`+roleText(""))
	w.must(second(w.CreateChangeSet(ctx, n)))
	want(t, second(w.Create(ctx, everything, NewStack{Name: "st", Template: n.Template, Capabilities: bothCapabilities})), ErrAlreadyExists, "Stack [st] already exists")
	n.Name, n.OfNew = "three", false
	want(t, second(w.CreateChangeSet(ctx, n)), ErrValidation, "REVIEW_IN_PROGRESS state and can not be updated")
	w.sound()
	w.must(w.ExecuteChangeSet(ctx, everything, "", made.ID, "", false))
	st := w.find("st")
	if st.Status != CreateComplete || st.ChangeSetID != made.ID || len(w.roles()) != 1 || st.Resources[0].LogicalID != "A" {
		t.Errorf("%+v", st)
	}
	want(t, second(w.ChangeSet(ctx, "st", "two")), ErrChangeSetNotFound, "[two] does not exist")
	want(t, w.ExecuteChangeSet(ctx, everything, "st", "one", "", false), ErrChangeSetNotFound, "[one] does not exist")
	n.OfNew = true
	want(t, second(w.CreateChangeSet(ctx, n)), ErrValidation, "cannot be created again with the changeSet [three]")

	n.OfNew, n.Template = false, resources(`"A":`+roleText(`,"Description":"x"`)+`,"B":`+roleText(""))
	changed, err := w.CreateChangeSet(ctx, n)
	w.must(err)
	if got := fmt.Sprint(changed.Changes); got != fmt.Sprint([]ResourceChange{
		{"Modify", "A", st.Resources[0].PhysicalID, "AWS::IAM::Role", false}, {"Add", "B", "", "AWS::IAM::Role", false},
	}) {
		t.Errorf("changes %s", got)
	}
	n.Name, n.Template = "four", resources(`"A":`+roleText(`,"Path":"/x/"`))
	replaced, err := w.CreateChangeSet(ctx, n)
	if err != nil || len(replaced.Changes) != 1 || !replaced.Changes[0].Replacement {
		t.Errorf("%+v, %v", replaced, err)
	}
	n.Name, n.Template = "none", ""
	none, err := w.CreateChangeSet(ctx, n)
	if err != nil || !none.Failed || none.Reason != errNoChanges {
		t.Errorf("%+v, %v", none, err)
	}
	again, err := w.CreateChangeSet(ctx, n)
	if err != nil || again.ID == none.ID {
		t.Errorf("a change set of the name of one that failed: %+v, %v", again, err)
	}
	want(t, w.ExecuteChangeSet(ctx, everything, "st", "none", "", false), ErrInvalidChangeSetStatus, "[FAILED]")
	w.must(w.DeleteChangeSet(ctx, "st", "none"))
	w.must(w.DeleteChangeSet(ctx, "st", "none"))
	w.must(second(w.CreateChangeSet(ctx, NewChangeSet{Name: "five", Stack: "st", Template: n.Template, Capabilities: bothCapabilities})))
	w.must(w.ExecuteChangeSet(ctx, everything, "st", "three", "", false))
	if st = w.find("st"); st.Status != UpdateComplete || len(w.roles()) != 2 {
		t.Errorf("%+v", st)
	}
	want(t, second(w.CreateChangeSet(ctx, NewChangeSet{Name: "a_b", Stack: "st"})), ErrValidation, "changeSetName")
	want(t, second(w.CreateChangeSet(ctx, NewChangeSet{Name: "a", Stack: "nobody"})), ErrValidation, "Stack [nobody] does not exist")
	want(t, second(w.ChangeSet(ctx, "", "a")), ErrValidation, "StackName must be specified")
	for n.Name = "a"; len(n.Name) <= maxChangeSets; n.Name += "a" {
		if _, err = w.CreateChangeSet(ctx, n); err != nil {
			break
		}
	}
	n.Name = "z"
	want(t, second(w.CreateChangeSet(ctx, n)), ErrLimitExceeded, "100")
	w.must(w.Delete(ctx, everything, "st", "", nil))
	w.sound()
}

// Of many who make the same stack at once one does, and a token makes it the same call.
func TestConcurrentCreatesHaveOneWinner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := resources(`"A":` + roleText(""))
	var mu sync.Mutex
	ids := map[string]int{}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			token := ""
			if i%2 == 0 {
				token = "same"
			}
			id, err := w.Create(t.Context(), everything, NewStack{Name: "st", Template: text, Capabilities: bothCapabilities, Token: token})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ids[id]++
			} else if !fault.Is(err, fault.Exists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(ids) != 1 || len(w.roles()) != 1 {
		t.Errorf("%v, roles %v", ids, w.roles())
	}
	w.sound()
}
