package backend

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Downlink modes of a device type (Sigfox reference, section 10). MANAGED is handled like NONE.
const (
	DownlinkDirect   = 0
	DownlinkCallback = 1
	DownlinkNone     = 2
	DownlinkManaged  = 3
)

// PayloadCustom is the payloadType whose payloadConfig shows decoded values in lists; PayloadRegular shows bytes.
const (
	PayloadRegular = 2
	PayloadCustom  = 3
)

// DeviceType is a set of devices that share one payload layout, one downlink mode and one list of callbacks (Sigfox
// reference, sections 1 and 12).
type DeviceType struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"` // 1 to 100 characters, unique
	Description   string    `json:"description,omitempty"`
	DownlinkMode  int       `json:"downlinkMode"`
	DownlinkData  string    `json:"downlinkDataString,omitempty"` // of mode DIRECT: 8 bytes of hex with {tapId}, {time}, {rssi}
	PayloadType   int       `json:"payloadType"`
	PayloadConfig string    `json:"payloadConfig,omitempty"` // for display only: callbacks have their own
	KeepAlive     int       `json:"keepAlive"`               // seconds of silence until an ERROR callback; 0 for none, else at least 1800
	AlertEmail    string    `json:"alertEmail,omitempty"`    // when set, a failing callback is told in the journal
	Created       time.Time `json:"created"`
	Edited        time.Time `json:"edited"`

	// DownlinkHook is the BIDIR callback that is asked for downlinks, empty for none.
	DownlinkHook string `json:"downlinkHook,omitempty"`
}

// Limits of a device type's texts, in characters, and its shortest keep-alive, in seconds (reference, sections 1 and 12).
const (
	maxTypeName    = 100
	maxDescription = 300
	maxEmail       = 250
	minKeepAlive   = 1800
)

func (t *DeviceType) check() error {
	if n := utf8.RuneCountInString(t.Name); n < 1 || n > maxTypeName || strings.TrimSpace(t.Name) != t.Name || strings.ContainsAny(t.Name, "/\x00\n\r") {
		return bad("name", "the name of a device type is %q", t.Name).WithRemedy("use 1 to %d characters without slashes, line breaks and blanks at its ends", maxTypeName)
	}
	if n := utf8.RuneCountInString(t.Description); n > maxDescription {
		return bad("description", "the description has %d characters", n).WithRemedy("use at most %d", maxDescription)
	}
	if n := utf8.RuneCountInString(t.AlertEmail); n > maxEmail || n > 0 && !strings.Contains(t.AlertEmail, "@") {
		return bad("alertEmail", "%q is no address for alerts", t.AlertEmail).WithRemedy("use one of at most %d characters", maxEmail)
	}
	if t.KeepAlive != 0 && t.KeepAlive < minKeepAlive {
		return bad("keepAlive", "the keep-alive is %d seconds", t.KeepAlive).WithRemedy("use 0 for none, or at least %d", minKeepAlive)
	}
	return t.checkPayload()
}

func (t *DeviceType) checkPayload() error {
	switch t.PayloadType {
	case PayloadCustom:
		if strings.TrimSpace(t.PayloadConfig) == "" {
			return bad("payloadConfig", "payload type 3 (custom grammar) has no configuration").WithRemedy("give one such as temp::float:32, or use payload type %d", PayloadRegular)
		}
	case PayloadRegular, 4, 5, 6, 9:
	default:
		return bad("payloadType", "there is no payload type %d", t.PayloadType).WithRemedy("use 2 (regular), 3 (custom grammar), 4, 5, 6 or 9")
	}
	if _, err := payload.Parse(t.PayloadConfig); err != nil {
		return bad("payloadConfig", "%s", err)
	}
	switch t.DownlinkMode {
	case DownlinkDirect:
		if _, err := parseDirect(t.DownlinkData); err != nil {
			return err
		}
	case DownlinkCallback, DownlinkNone, DownlinkManaged:
	default:
		return bad("downlinkMode", "there is no downlink mode %d", t.DownlinkMode).WithRemedy("use 0 (DIRECT), 1 (CALLBACK) or 2 (NONE)")
	}
	return nil
}

// DefaultDirect is what mode DIRECT answers when nobody says otherwise.
const DefaultDirect = "{tapId}0000{rssi}"

// NewDeviceType is a device type as it is before anybody changes it; CreateDeviceType gives it its id.
func NewDeviceType(name string) *DeviceType {
	return &DeviceType{Name: name, DownlinkMode: DownlinkNone, PayloadType: PayloadRegular}
}

// CreateDeviceType keeps a new device type. Id and times are given by the backend.
func (b *Backend) CreateDeviceType(t DeviceType) (*DeviceType, error) {
	t.ID, t.DownlinkHook = newID(), ""
	t.Created = b.now()
	t.Edited = t.Created
	t.normalise()
	if err := t.check(); err != nil {
		return nil, err
	}
	b.editing.Lock()
	defer b.editing.Unlock()
	err := b.commit(documents.Put(deviceTypesBucket, t.ID, t, documents.Absent), documents.Put(typeNamesBucket, t.Name, t.ID, documents.Absent))
	if fault.Is(err, fault.Conflict) {
		return nil, nameTaken(t.Name)
	}
	return &t, err
}

func (t *DeviceType) normalise() {
	if t.DownlinkMode == DownlinkDirect && t.DownlinkData == "" {
		t.DownlinkData = DefaultDirect
	}
}

func nameTaken(name string) error {
	return fault.Wrap(fault.Exists, Field("name"), "there is a device type %q already", name).WithRemedy("take another name")
}

// DeviceType gives a device type by its id; fault.NotFound if there is none.
func (b *Backend) DeviceType(ctx context.Context, id string) (*DeviceType, error) {
	t, _, err := b.loadType(ctx, id)
	return t, err
}

// FindDeviceType gives a device type by its id or its name.
func (b *Backend) FindDeviceType(ctx context.Context, idOrName string) (*DeviceType, error) {
	t, _, err := b.loadType(ctx, idOrName)
	if !fault.Is(err, fault.NotFound) {
		return t, err
	}
	id, _, nameErr := documents.Load[string](ctx, b.cfg.Store, typeNamesBucket, idOrName)
	if fault.Is(nameErr, fault.NotFound) {
		return nil, err
	}
	if nameErr != nil {
		return nil, nameErr
	}
	return b.DeviceType(ctx, *id)
}

func (b *Backend) loadType(ctx context.Context, id string) (*DeviceType, uint64, error) {
	t, rev, err := documents.Load[DeviceType](ctx, b.cfg.Store, deviceTypesBucket, id)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, fault.New(fault.NotFound, "there is no device type %q", id).WithRemedy("see: thingwire sigfox device-type list")
	}
	return t, rev, err
}

// DeviceTypes lists device types by their ids.
func (b *Backend) DeviceTypes(ctx context.Context, p Page) (all []DeviceType, next string, err error) {
	return list[DeviceType](ctx, b, deviceTypesBucket, "", p)
}

// EditDeviceType changes a device type: change sees it as it is, and what it leaves is checked whole. Id, times and
// DownlinkHook are not for change.
func (b *Backend) EditDeviceType(ctx context.Context, id string, change func(*DeviceType) error) (*DeviceType, error) {
	b.editing.Lock()
	defer b.editing.Unlock()
	old, rev, err := b.loadType(ctx, id)
	if err != nil {
		return nil, err
	}
	t := *old
	if err := change(&t); err != nil {
		return nil, err
	}
	t.ID, t.Created, t.DownlinkHook, t.Edited = old.ID, old.Created, old.DownlinkHook, b.now()
	t.normalise()
	if err := t.check(); err != nil {
		return nil, err
	}
	ops := []store.DocOp{documents.Put(deviceTypesBucket, id, t, documents.AtRev(rev))}
	if t.Name != old.Name {
		ops = append(ops, documents.Put(typeNamesBucket, t.Name, id, documents.Absent), documents.Remove(typeNamesBucket, old.Name, always))
	}
	err = b.commit(ops...)
	if fault.Is(err, fault.Conflict) {
		return nil, nameTaken(t.Name)
	}
	if err == nil && t.KeepAlive != old.KeepAlive {
		err = b.rewatch(ctx, &t)
	}
	return &t, err
}

// DeleteDeviceType deletes a device type with its callbacks, drafts and list of undelivered ones. One that has devices is
// refused (fault.InUse).
func (b *Backend) DeleteDeviceType(ctx context.Context, id string) error {
	b.editing.Lock()
	defer b.editing.Unlock()
	t, rev, err := b.loadType(ctx, id)
	if err != nil {
		return err
	}
	for d, err := range b.cfg.Store.List(ctx, typeDevicesBucket, id+"/", "", 1) {
		if err != nil {
			return err
		}
		return fault.New(fault.InUse, "device type %q has devices, %s is one", t.Name, strings.TrimLeft(d.Key[len(id)+1:], "0")).
			WithRemedy("delete them or give them another device type first")
	}
	ops := []store.DocOp{documents.Remove(deviceTypesBucket, id, documents.AtRev(rev)), documents.Remove(typeNamesBucket, t.Name, always)}
	callbacks, err := b.keys(ctx, callbacksBucket, id+"/")
	if err != nil {
		return err
	}
	for _, key := range callbacks {
		ops = append(ops, documents.Remove(callbackStatesBucket, key[len(id)+1:], always))
	}
	for _, bucket := range []string{callbacksBucket, draftsBucket, undeliveredBucket} {
		keys, err := b.keys(ctx, bucket, id+"/")
		if err != nil {
			return err
		}
		ops = append(ops, removals(bucket, keys)...)
	}
	if err := b.commit(ops...); err != nil {
		return err
	}
	for _, key := range callbacks {
		b.lanes.forget(key[len(id)+1:])
	}
	return nil
}
