package backend

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Draft is an AWS_IOT callback that is not saved yet: its external id has to be there before the stack whose role the
// callback names (reference, 8.1). The backend makes it, so that nobody can name the external id of somebody else's role
// (the confused deputy, 8.4).
type Draft struct {
	ID         string    `json:"id"`
	DeviceType string    `json:"deviceTypeId"`
	ExternalID string    `json:"externalId"`
	Created    time.Time `json:"created"`
}

// A device type has at most maxDrafts; one that is older than draftAge makes room for another.
const (
	maxDrafts = 100
	draftAge  = 30 * 24 * time.Hour
)

// CreateDraft makes a draft with an external id.
func (b *Backend) CreateDraft(ctx context.Context, typeID string) (*Draft, error) {
	b.editing.Lock()
	defer b.editing.Unlock()
	if _, _, err := b.loadType(ctx, typeID); err != nil {
		return nil, err
	}
	drafts, err := b.Drafts(ctx, typeID)
	if err != nil {
		return nil, err
	}
	var ops []store.DocOp
	for i := range drafts {
		if b.now().Sub(drafts[i].Created) > draftAge {
			ops = append(ops, documents.Remove(draftsBucket, drafts[i].key(), always))
		}
	}
	if len(drafts)-len(ops) >= maxDrafts {
		return nil, fault.New(fault.Throttled, "the device type has %d drafts of callbacks, as many as it may", len(drafts)).
			WithRemedy("save one with --draft, or delete one: thingwire sigfox callback drafts delete")
	}
	d := &Draft{ID: newID(), DeviceType: typeID, ExternalID: uuid.NewString(), Created: b.now()}
	return d, b.commit(append(ops, documents.Put(draftsBucket, d.key(), d, documents.Absent))...)
}

func (d *Draft) key() string { return d.DeviceType + "/" + d.ID }

// Drafts are the drafts of a device type.
func (b *Backend) Drafts(ctx context.Context, typeID string) ([]Draft, error) {
	drafts, _, err := list[Draft](ctx, b, draftsBucket, typeID+"/", Page{Limit: maxDrafts})
	return drafts, err
}

// DeleteDraft forgets a draft.
func (b *Backend) DeleteDraft(ctx context.Context, typeID, id string) error {
	_, rev, err := b.loadDraft(ctx, typeID, id)
	if err != nil {
		return err
	}
	return b.commit(documents.Remove(draftsBucket, typeID+"/"+id, documents.AtRev(rev)))
}

func (b *Backend) loadDraft(ctx context.Context, typeID, id string) (*Draft, uint64, error) {
	d, rev, err := documents.Load[Draft](ctx, b.cfg.Store, draftsBucket, typeID+"/"+id)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, fault.Wrap(fault.NotFound, Field("draft"), "device type %s has no draft %q", typeID, id).WithRemedy("see: thingwire sigfox callback drafts %s", typeID)
	}
	return d, rev, err
}

// takeExternalID gives a callback the external id of a draft, which ends with it, or one of its own.
func (b *Backend) takeExternalID(ctx context.Context, c *Callback, draft string) ([]store.DocOp, error) {
	if draft == "" {
		c.ExternalID = uuid.NewString()
		return nil, nil
	}
	d, rev, err := b.loadDraft(ctx, c.DeviceType, draft)
	if err != nil {
		return nil, err
	}
	c.ExternalID = d.ExternalID
	return []store.DocOp{documents.Remove(draftsBucket, d.key(), documents.AtRev(rev))}, nil
}
