package backend

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// States of a device (Sigfox reference, section 12). Messages of a device that is not OK are kept and called back to nobody.
const (
	DeviceOK          = 0
	DeviceOffContract = 2
	DeviceDisabled    = 3
	DeviceSuspended   = 6
)

// Device is one radio.
type Device struct {
	ID         string    `json:"id"` // canonical: see CanonicalID
	Name       string    `json:"name"`
	DeviceType string    `json:"deviceTypeId"`
	PAC        string    `json:"pac"`
	State      int       `json:"state"`
	Position   *Position `json:"position,omitempty"` // typed in, not measured: {fixedLat} and {fixedLng}
	Created    time.Time `json:"created"`
	Edited     time.Time `json:"edited"`
}

// Position is a place on earth, in degrees.
type Position struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

// life is what messages change in a device; whoever holds the device writes it.
type life struct {
	Number    uint64          `json:"number"`           // of the newest message; also what was skipped counts
	Oldest    uint64          `json:"oldest"`           // the first number that is still kept
	Seq       int             `json:"seq"`              // sequence number of the newest message
	LastCom   time.Time       `json:"lastCom,omitzero"` // time of the newest message
	Heard     time.Time       `json:"heard,omitzero"`   // when that was, by the server's clock
	LastLQI   int             `json:"lqi"`
	Day       string          `json:"day,omitempty"` // UTC day that the two counts are of
	Uplinks   int             `json:"uplinks"`
	Downlinks int             `json:"downlinks"`
	Watch     time.Time       `json:"watch,omitzero"`   // when a timer looks at its silence; zero when none does
	Queued    *QueuedDownlink `json:"queued,omitempty"` // what the next request gets
	Silent    bool            `json:"silent,omitempty"` // its silence was told, and it said nothing since
}

// unborn is the life of a device that sent nothing yet; its sequence begins at 0.
func unborn() *life { return &life{Oldest: 1, Seq: seqModulus - 1, LastLQI: lqiNA} }

// Sequence numbers have 12 bits (Sigfox reference, section 11).
const seqModulus = 4096

// today makes the daily counts those of the day of t.
func (l *life) today(t time.Time) {
	if day := t.UTC().Format(time.DateOnly); l.Day != day {
		l.Day, l.Uplinks, l.Downlinks = day, 0, 0
	}
}

// Communication states of a device (Sigfox reference, section 12).
const (
	ComNo      = 0
	ComOK      = 1
	ComWarn    = 2
	ComKO      = 3
	ComNotSeen = 5
)

// DeviceStatus is a device and how it communicates.
type DeviceStatus struct {
	Device
	SequenceNumber *int      `json:"sequenceNumber,omitempty"` // of its newest message
	LastCom        time.Time `json:"lastCom,omitzero"`
	ComState       int       `json:"comState"`
	LQI            int       `json:"lqi"`
	Uplinks        int       `json:"uplinksToday"`
	Downlinks      int       `json:"downlinksToday"`

	Queued *QueuedDownlink `json:"queuedDownlink,omitempty"`
}

func (d *Device) check() error {
	if n := utf8.RuneCountInString(d.Name); n < 1 || n > maxTypeName || strings.ContainsAny(d.Name, "\x00\n\r") {
		return bad("name", "the name of a device is %q", d.Name).WithRemedy("use 1 to %d characters", maxTypeName)
	}
	switch d.State {
	case DeviceOK, DeviceOffContract, DeviceDisabled, DeviceSuspended:
	default:
		return bad("state", "there is no device state %d to set", d.State).WithRemedy("use 0 (OK), 2 (OFF_CONTRACT), 3 (DISABLED) or 6 (SUSPENDED)")
	}
	if p := d.Position; p != nil && (!(p.Lat >= -90 && p.Lat <= 90) || !(p.Lng >= -180 && p.Lng <= 180)) {
		return bad("lat", "%g, %g is no place on earth", p.Lat, p.Lng)
	}
	return nil
}

// CreateDevice registers a device; fault.Exists if its id is taken. An empty name is its id, an empty PAC gets one made.
func (b *Backend) CreateDevice(ctx context.Context, d Device) (*Device, error) {
	var err error
	if d.ID, err = CanonicalID(d.ID); err != nil {
		return nil, err
	}
	if d.PAC == "" {
		d.PAC = newPAC()
	}
	if d.PAC, err = checkPAC(d.PAC); err != nil {
		return nil, err
	}
	if d.Name == "" {
		d.Name = d.ID
	}
	d.Created = b.now()
	d.Edited = d.Created
	if err := d.check(); err != nil {
		return nil, err
	}
	b.editing.Lock()
	defer b.editing.Unlock()
	if _, _, err := b.loadType(ctx, d.DeviceType); err != nil {
		return nil, err
	}
	key, l := deviceKey(d.ID), unborn()
	l.Number = uint64(d.Created.UnixMilli()) // a device that is registered anew has other numbers than before
	l.Oldest = l.Number + 1
	err = b.commit(
		documents.Put(devicesBucket, key, d, documents.Absent), documents.Put(livesBucket, key, l, always),
		documents.Mark(typeDevicesBucket, d.DeviceType+"/"+key),
	)
	if fault.Is(err, fault.Conflict) {
		return nil, fault.Wrap(fault.Exists, Field("id"), "device %s is registered already", d.ID)
	}
	return &d, err
}

// Device gives a device by its id, in either case and with or without leading zeros; fault.NotFound if there is none.
func (b *Backend) Device(ctx context.Context, id string) (*DeviceStatus, error) {
	d, _, err := b.loadDevice(ctx, id)
	if err != nil {
		return nil, err
	}
	return b.statusOf(ctx, d)
}

func (b *Backend) statusOf(ctx context.Context, d *Device) (*DeviceStatus, error) {
	l, err := b.loadLife(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	s := &DeviceStatus{Device: *d, LastCom: l.LastCom, ComState: ComNotSeen, LQI: l.LastLQI, Queued: l.Queued}
	if !l.LastCom.IsZero() {
		s.SequenceNumber, s.ComState = &l.Seq, ComOK
		l.today(b.now())
		s.Uplinks, s.Downlinks = l.Uplinks, l.Downlinks
	}
	if l.Silent {
		s.ComState = ComKO
	}
	return s, nil
}

func (b *Backend) loadDevice(ctx context.Context, id string) (*Device, uint64, error) {
	id, err := CanonicalID(id)
	if err != nil {
		return nil, 0, err
	}
	d, rev, err := documents.Load[Device](ctx, b.cfg.Store, devicesBucket, deviceKey(id))
	if fault.Is(err, fault.NotFound) {
		return nil, 0, fault.New(fault.NotFound, "there is no Sigfox device %s", id).WithRemedy("see: thingwire sigfox device list")
	}
	return d, rev, err
}

func (b *Backend) loadLife(ctx context.Context, id string) (*life, error) {
	l, _, err := documents.Load[life](ctx, b.cfg.Store, livesBucket, deviceKey(id))
	if fault.Is(err, fault.NotFound) {
		return unborn(), nil
	}
	return l, err
}

// Devices lists devices in the order of their ids, those of one device type unless typeID is empty.
func (b *Backend) Devices(ctx context.Context, typeID string, p Page) (all []DeviceStatus, next string, err error) {
	var devices []Device
	if typeID == "" {
		devices, next, err = list[Device](ctx, b, devicesBucket, "", p)
	} else {
		devices, next, err = b.devicesOf(ctx, typeID, p)
	}
	if err != nil {
		return nil, "", err
	}
	for i := range devices {
		s, err := b.statusOf(ctx, &devices[i])
		if err != nil {
			return nil, "", err
		}
		all = append(all, *s)
	}
	return all, next, nil
}

func (b *Backend) devicesOf(ctx context.Context, typeID string, p Page) (all []Device, next string, err error) {
	prefix, after := typeID+"/", ""
	if p.After != "" {
		after = prefix + p.After
	}
	last := ""
	for d, err := range b.cfg.Store.List(ctx, typeDevicesBucket, prefix, after, p.limit()+1) {
		if err != nil {
			return nil, "", err
		}
		if last != "" && len(all) == p.limit() {
			return all, last, nil
		}
		key := d.Key[len(prefix):]
		device, _, err := documents.Load[Device](ctx, b.cfg.Store, devicesBucket, key)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, "", err
		}
		all, last = append(all, *device), key
	}
	return all, "", nil
}

// EditDevice changes a device, also its device type. Id and time of creation are not for change.
func (b *Backend) EditDevice(ctx context.Context, id string, change func(*Device) error) (*Device, error) {
	b.editing.Lock()
	defer b.editing.Unlock()
	old, rev, err := b.loadDevice(ctx, id)
	if err != nil {
		return nil, err
	}
	d := *old
	if err := change(&d); err != nil {
		return nil, err
	}
	d.ID, d.Created, d.Edited = old.ID, old.Created, b.now()
	if d.PAC, err = checkPAC(d.PAC); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	key := deviceKey(d.ID)
	ops := []store.DocOp{documents.Put(devicesBucket, key, d, documents.AtRev(rev))}
	if d.DeviceType != old.DeviceType {
		if _, _, err := b.loadType(ctx, d.DeviceType); err != nil {
			return nil, err
		}
		ops = append(ops, documents.Remove(typeDevicesBucket, old.DeviceType+"/"+key, always), documents.Mark(typeDevicesBucket, d.DeviceType+"/"+key))
	}
	return &d, b.commit(ops...)
}

// DeleteDevice deletes a device with its messages. What is still owed to callbacks is delivered all the same.
func (b *Backend) DeleteDevice(ctx context.Context, id string) error {
	b.editing.Lock()
	defer b.editing.Unlock()
	d, rev, err := b.loadDevice(ctx, id)
	if err != nil {
		return err
	}
	h, err := b.hot.hold(ctx, d.ID) // no message comes meanwhile
	if err != nil {
		return err
	}
	defer h.drop()
	defer h.unlock()
	h.settle() // nor is one on its way to the store
	key := deviceKey(d.ID)
	ops := []store.DocOp{
		documents.Remove(devicesBucket, key, documents.AtRev(rev)),
		documents.Remove(typeDevicesBucket, d.DeviceType+"/"+key, always),
		documents.Remove(livesBucket, key, always),
	}
	for _, bucket := range []string{messagesBucket, resultsBucket, downlinksBucket} {
		keys, err := b.keys(ctx, bucket, key+"/")
		if err != nil {
			return err
		}
		ops = append(ops, removals(bucket, keys)...)
	}
	return b.commit(ops...)
}
