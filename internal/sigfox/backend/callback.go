package backend

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/template"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Channels of callbacks. AWS_IOT is an extension of Sigfox's API (reference, section 3).
const (
	ChannelURL   = "URL"
	ChannelBatch = "BATCH_URL"
	ChannelAWS   = "AWS_IOT"
)

// Callback says: when this happens on a device of the type, send that there.
type Callback struct {
	ID            string `json:"id"`
	DeviceType    string `json:"deviceTypeId"`
	Channel       string `json:"channel"`
	Type          int    `json:"callbackType"`
	Subtype       int    `json:"callbackSubtype"`
	Enabled       bool   `json:"enabled"`
	PayloadConfig string `json:"payloadConfig,omitempty"`

	// Of URL and BATCH_URL.
	URL         string   `json:"url,omitempty"`
	Method      string   `json:"httpMethod,omitempty"`
	Headers     []Header `json:"headers,omitempty"`
	SendSNI     bool     `json:"sendSni,omitempty"`
	ContentType string   `json:"contentType,omitempty"`
	Body        string   `json:"bodyTemplate,omitempty"` // of AWS_IOT too
	LinePattern string   `json:"linePattern,omitempty"`  // of BATCH_URL

	// Of AWS_IOT (reference, 8.1). The external id is the backend's: nobody chooses it.
	RoleARN    string `json:"roleArn,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	Region     string `json:"region,omitempty"`
	Topic      string `json:"topic,omitempty"`

	Created time.Time `json:"created"`
	Edited  time.Time `json:"edited"`
}

// Header is one header of a callback.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Kind is what the callback fires on.
func (c *Callback) Kind() template.Kind { return template.Kind{Type: c.Type, Subtype: c.Subtype} }

// Definition is where a callback goes, in a few words, without what its URL may carry of secrets.
func (c *Callback) Definition() string {
	if c.Channel == ChannelAWS {
		return "AWS_IOT " + c.Region + " " + c.Topic
	}
	return c.Method + " " + delivery.MaskURL(c.URL)
}

// HeadersShown are the headers as Definition shows the URL: without secrets.
func (c *Callback) HeadersShown() []Header {
	all := make([]Header, len(c.Headers))
	for i, h := range c.Headers {
		all[i] = Header{h.Name, delivery.MaskHeader(h.Name, h.Value)}
	}
	return all
}

// CallbackStatus is a callback, whether its last use failed, and whether it is the one that is asked for downlinks.
type CallbackStatus struct {
	Callback
	Dead         bool `json:"dead"`
	DownlinkHook bool `json:"downlinkHook"`
	Pending      int  `json:"pending"` // deliveries that are owed

	// Hints are about what may not do what was meant; they refuse nothing.
	Hints []string `json:"hints,omitempty"`
}

// CreateCallback keeps a new callback of a device type. draft, if not empty, is the draft whose external id an AWS_IOT
// callback takes over; without one it gets an external id of its own.
func (b *Backend) CreateCallback(ctx context.Context, c Callback, draft string) (*CallbackStatus, error) {
	c.ID, c.ExternalID = newID(), ""
	c.Created = b.now()
	c.Edited = c.Created
	c.normalise()
	b.editing.Lock()
	defer b.editing.Unlock()
	t, _, err := b.loadType(ctx, c.DeviceType)
	if err != nil {
		return nil, err
	}
	var ops []store.DocOp
	if c.Channel == ChannelAWS {
		if ops, err = b.takeExternalID(ctx, &c, draft); err != nil {
			return nil, err
		}
	}
	compiled, err := compile(&c)
	if err != nil {
		return nil, err
	}
	others, err := b.keys(ctx, callbacksBucket, t.ID+"/")
	if err != nil {
		return nil, err
	}
	if len(others) >= template.MaxCallbacks {
		return nil, fault.New(fault.Throttled, "device type %q has %d callbacks already, as many as it may", t.Name, len(others))
	}
	ops = append(ops, documents.Put(callbacksBucket, c.key(), c, documents.Absent))
	if err := b.commit(ops...); err != nil {
		return nil, err
	}
	return &CallbackStatus{Callback: c, Hints: b.hints(compiled)}, nil
}

func (c *Callback) key() string { return c.DeviceType + "/" + c.ID }

// Callback gives a callback of a device type; fault.NotFound if there is none.
func (b *Backend) Callback(ctx context.Context, typeID, id string) (*CallbackStatus, error) {
	t, _, err := b.loadType(ctx, typeID)
	if err != nil {
		return nil, err
	}
	c, _, err := b.loadCallback(ctx, typeID, id)
	if err != nil {
		return nil, err
	}
	return b.callbackStatus(ctx, t, c)
}

func (b *Backend) callbackStatus(ctx context.Context, t *DeviceType, c *Callback) (*CallbackStatus, error) {
	state, err := b.loadCallbackState(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	s := &CallbackStatus{Callback: *c, Dead: state.Dead, DownlinkHook: t.DownlinkHook == c.ID, Pending: b.lanes.owed(c.ID)}
	if compiled, err := compile(c); err == nil {
		s.Hints = b.hints(compiled)
	}
	return s, nil
}

func (b *Backend) loadCallback(ctx context.Context, typeID, id string) (*Callback, uint64, error) {
	c, rev, err := documents.Load[Callback](ctx, b.cfg.Store, callbacksBucket, typeID+"/"+id)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, fault.New(fault.NotFound, "device type %s has no callback %q", typeID, id).WithRemedy("see: thingwire sigfox callback list %s", typeID)
	}
	return c, rev, err
}

// Callbacks are all callbacks of a device type.
func (b *Backend) Callbacks(ctx context.Context, typeID string) ([]CallbackStatus, error) {
	t, _, err := b.loadType(ctx, typeID)
	if err != nil {
		return nil, err
	}
	callbacks, _, err := list[Callback](ctx, b, callbacksBucket, typeID+"/", Page{Limit: template.MaxCallbacks})
	if err != nil {
		return nil, err
	}
	all := make([]CallbackStatus, 0, len(callbacks))
	for i := range callbacks {
		s, err := b.callbackStatus(ctx, t, &callbacks[i])
		if err != nil {
			return nil, err
		}
		all = append(all, *s)
	}
	return all, nil
}

// EditCallback changes a callback; what change leaves is checked whole. Ids, channel and external id are not for change.
// Deliveries that are owed are made as the callback is by then.
func (b *Backend) EditCallback(ctx context.Context, typeID, id string, change func(*Callback) error) (*CallbackStatus, error) {
	b.editing.Lock()
	defer b.editing.Unlock()
	t, typeRev, err := b.loadType(ctx, typeID)
	if err != nil {
		return nil, err
	}
	old, rev, err := b.loadCallback(ctx, typeID, id)
	if err != nil {
		return nil, err
	}
	c := *old
	if err := change(&c); err != nil {
		return nil, err
	}
	c.ID, c.DeviceType, c.Channel, c.ExternalID, c.Created = old.ID, old.DeviceType, old.Channel, old.ExternalID, old.Created
	c.Edited = b.now()
	c.normalise()
	if _, err := compile(&c); err != nil {
		return nil, err
	}
	ops := []store.DocOp{documents.Put(callbacksBucket, c.key(), c, documents.AtRev(rev))}
	if t.DownlinkHook == id && c.Kind() != template.Bidir { // it cannot be asked any more
		t.DownlinkHook = ""
		ops = append(ops, documents.Put(deviceTypesBucket, typeID, t, documents.AtRev(typeRev)))
	}
	if err := b.commit(ops...); err != nil {
		return nil, err
	}
	return b.callbackStatus(ctx, t, &c)
}

// DeleteCallback deletes a callback; what is owed to it is given up when it would be due.
func (b *Backend) DeleteCallback(ctx context.Context, typeID, id string) error {
	b.editing.Lock()
	defer b.editing.Unlock()
	t, typeRev, err := b.loadType(ctx, typeID)
	if err != nil {
		return err
	}
	c, rev, err := b.loadCallback(ctx, typeID, id)
	if err != nil {
		return err
	}
	ops := []store.DocOp{documents.Remove(callbacksBucket, c.key(), documents.AtRev(rev)), documents.Remove(callbackStatesBucket, id, always)}
	if t.DownlinkHook == id {
		t.DownlinkHook = ""
		ops = append(ops, documents.Put(deviceTypesBucket, typeID, t, documents.AtRev(typeRev)))
	}
	if err := b.commit(ops...); err != nil {
		return err
	}
	b.lanes.forget(id)
	return nil
}

// SelectDownlink makes a BIDIR callback the one of its device type that is asked for downlinks.
func (b *Backend) SelectDownlink(ctx context.Context, typeID, id string) error {
	b.editing.Lock()
	defer b.editing.Unlock()
	t, rev, err := b.loadType(ctx, typeID)
	if err != nil {
		return err
	}
	c, _, err := b.loadCallback(ctx, typeID, id)
	if err != nil {
		return err
	}
	if c.Kind() != template.Bidir {
		return bad("callbackSubtype", "callback %s is of kind %s, which answers nothing", id, c.Kind()).WithRemedy("select one of kind DATA/BIDIR")
	}
	t.DownlinkHook = id
	return b.commit(documents.Put(deviceTypesBucket, typeID, t, documents.AtRev(rev)))
}

// callbackState is what deliveries change in a callback.
type callbackState struct {
	Dead    bool      `json:"dead"`             // its last use failed
	Alerted time.Time `json:"alerted,omitzero"` // when a failure was last told
}

func (b *Backend) loadCallbackState(ctx context.Context, id string) (*callbackState, error) {
	s, _, err := documents.Load[callbackState](ctx, b.cfg.Store, callbackStatesBucket, id)
	if fault.Is(err, fault.NotFound) {
		return &callbackState{}, nil
	}
	return s, err
}
