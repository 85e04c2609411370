package cloudformation

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// The layout in the store, format 1. Values are JSON, but for the number.
//
//	cloudformation/meta       format      the number of this layout
//	cloudformation/stacks     NAME        a stack that is there, with its template, parameters, resources and outputs
//	cloudformation/ids        UUID        the name of a stack that is there
//	cloudformation/gone       UUID        a stack that was deleted, for 90 days
//	cloudformation/events     UUID/N      an event of a stack; N has eight digits and grows
//	cloudformation/changesets UUID/NAME   a change set of a stack
//	cloudformation/exports    NAME        the id of the stack that exports an output under this name
//
// A stack's document is rewritten under its revision together with the roles that it consists of.
const (
	metaBucket    = "cloudformation/meta"
	stacksBucket  = "cloudformation/stacks"
	idsBucket     = "cloudformation/ids"
	goneBucket    = "cloudformation/gone"
	eventsBucket  = "cloudformation/events"
	setsBucket    = "cloudformation/changesets"
	exportsBucket = "cloudformation/exports"

	formatKey = "format"
	format    = 1
)

// keepGone is how long a deleted stack can be asked for by its id (API reference, DescribeStacks).
const keepGone = 90 * 24 * time.Hour

// Stack is a stack as it is kept and shown.
type Stack struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"` // arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated,omitzero"`
	Deleted time.Time `json:"deleted,omitzero"`
	Status  Status    `json:"status"`
	Reason  string    `json:"reason,omitempty"` // of the status

	Template     string            `json:"template,omitempty"`   // the text; "" while a change set is reviewed
	Parameters   map[string]string `json:"parameters,omitempty"` // also of those that are not to be shown
	Capabilities []string          `json:"capabilities,omitempty"`
	Tags         []iam.Tag         `json:"tags,omitempty"`
	Description  string            `json:"description,omitempty"`

	Resources []Resource `json:"resources,omitempty"` // in the order in which they are made
	Outputs   []Output   `json:"outputs,omitempty"`

	DisableRollback bool   `json:"disableRollback,omitempty"`
	Protected       bool   `json:"protected,omitempty"` // against deletion
	Timeout         int    `json:"timeout,omitempty"`   // minutes, as it was given
	ChangeSetID     string `json:"changeSetId,omitempty"`
	CreateToken     string `json:"createToken,omitempty"` // ClientRequestToken of the call that made it
	Events          int    `json:"events"`                // how many there are
}

// Resource is a resource of a stack.
type Resource struct {
	LogicalID  string    `json:"logicalId"`
	PhysicalID string    `json:"physicalId,omitempty"`
	Type       string    `json:"type"`
	Status     Status    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Updated    time.Time `json:"updated"`
	Retain     bool      `json:"retain,omitempty"` // it stays when the stack goes
	Properties string    `json:"properties"`       // evaluated, JSON
}

// Output is an output of a stack.
type Output struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Export      string `json:"export,omitempty"`
}

// Event is something that happened to a stack.
type Event struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	LogicalID  string    `json:"logicalId"`
	PhysicalID string    `json:"physicalId,omitempty"`
	Type       string    `json:"type"`
	Status     Status    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Properties string    `json:"properties,omitempty"`
	Token      string    `json:"token,omitempty"`
}

// Status is the status of a stack or a resource.
type Status string

// The statuses that there are. Those in progress are in events alone.
const (
	CreateInProgress Status = "CREATE_IN_PROGRESS"
	CreateComplete   Status = "CREATE_COMPLETE"
	CreateFailed     Status = "CREATE_FAILED"

	RollbackInProgress Status = "ROLLBACK_IN_PROGRESS"
	RollbackComplete   Status = "ROLLBACK_COMPLETE"

	UpdateInProgress        Status = "UPDATE_IN_PROGRESS"
	UpdateCleanupInProgress Status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateComplete          Status = "UPDATE_COMPLETE"
	UpdateFailed            Status = "UPDATE_FAILED"

	UpdateRollbackInProgress Status = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackComplete   Status = "UPDATE_ROLLBACK_COMPLETE"

	DeleteInProgress Status = "DELETE_IN_PROGRESS"
	DeleteComplete   Status = "DELETE_COMPLETE"
	DeleteFailed     Status = "DELETE_FAILED"
	DeleteSkipped    Status = "DELETE_SKIPPED"

	ReviewInProgress Status = "REVIEW_IN_PROGRESS"
)

// stackType is the type of a stack in its own events.
const stackType = "AWS::CloudFormation::Stack"

type idDoc struct {
	Name string `json:"name"`
}

type exportDoc struct {
	StackID string `json:"stackId"`
}

func eventKey(uuid string, n int) string { return fmt.Sprintf("%s/%08d", uuid, n) }

// checkFormat writes the number of the layout into a fresh store and refuses a newer one.
func checkFormat(ctx context.Context, s store.Store) error {
	want := strconv.Itoa(format)
	d, err := s.Get(ctx, metaBucket, formatKey)
	if fault.Is(err, fault.NotFound) {
		err = documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: formatKey, Value: []byte(want), If: documents.Absent})
		if fault.Is(err, fault.Conflict) {
			return checkFormat(ctx, s) // another node was faster
		}
		return err
	}
	if err == nil && string(d.Value) != want {
		return fault.New(fault.Unsupported, "the stacks in this store have format %s, this thingwire knows format %d", fault.Plain(string(d.Value)), format).
			WithRemedy("use the thingwire that wrote it, or a newer one")
	}
	return err
}
