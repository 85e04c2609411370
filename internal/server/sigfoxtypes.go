package server

import (
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

func sigfoxListTypes(c *sigfoxCall) (any, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	return pageOf(c.DeviceTypes(c.Context(), p))
}

func sigfoxCreateType(c *sigfoxCall) (any, error) {
	t := backend.NewDeviceType("")
	if err := c.read(t); err != nil {
		return nil, err
	}
	return c.CreateDeviceType(*t)
}

func sigfoxGetType(c *sigfoxCall) (any, error) { return c.kind() }

func sigfoxUpdateType(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return c.EditDeviceType(c.Context(), t.ID, func(t *backend.DeviceType) error { return c.read(t) })
}

func sigfoxDeleteType(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return nothing(c.DeleteDeviceType(c.Context(), t.ID))
}

func sigfoxListCallbacks(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	all, err := c.Callbacks(c.Context(), t.ID)
	return pageOf(all, "", err)
}

// newSigfoxCallback is a callback that is to be saved, and the draft that it was.
type newSigfoxCallback struct {
	backend.Callback
	Draft string `json:"draft,omitempty"`
}

func sigfoxCreateCallback(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	made := newSigfoxCallback{Callback: backend.Callback{Enabled: true, SendSNI: true, Type: 0, Subtype: 2}}
	if err := c.read(&made); err != nil {
		return nil, err
	}
	made.DeviceType = t.ID
	return c.CreateCallback(c.Context(), made.Callback, made.Draft)
}

func sigfoxGetCallback(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return c.Callback(c.Context(), t.ID, c.PathValue("callback"))
}

func sigfoxUpdateCallback(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return c.EditCallback(c.Context(), t.ID, c.PathValue("callback"), func(b *backend.Callback) error { return c.read(b) })
}

func sigfoxDeleteCallback(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return nothing(c.DeleteCallback(c.Context(), t.ID, c.PathValue("callback")))
}

func sigfoxSelectDownlink(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return nothing(c.SelectDownlink(c.Context(), t.ID, c.PathValue("callback")))
}

// SigfoxTrial is what a trial of a callback came to.
type SigfoxTrial = backend.Trial

func sigfoxTestCallback(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	sample := struct {
		Device string `json:"device"`
		Data   string `json:"data"`
	}{Device: "1"}
	if err := c.read(&sample); err != nil {
		return nil, err
	}
	data, err := backend.ParseData(sample.Data)
	if err != nil {
		return nil, err
	}
	return c.TryCallback(c.Context(), t.ID, c.PathValue("callback"), backend.Frame{Device: sample.Device, Data: data})
}

func sigfoxListDrafts(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	all, err := c.Drafts(c.Context(), t.ID)
	return pageOf(all, "", err)
}

func sigfoxCreateDraft(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return c.CreateDraft(c.Context(), t.ID)
}

func sigfoxDeleteDraft(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	return nothing(c.DeleteDraft(c.Context(), t.ID, c.PathValue("draft")))
}

func sigfoxUndeliveredOfType(c *sigfoxCall) (any, error) {
	t, err := c.kind()
	if err != nil {
		return nil, err
	}
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	return pageOf(c.NotDelivered(c.Context(), backend.UndeliveredQuery{DeviceType: t.ID, Callback: c.URL.Query().Get("callback")}, p))
}
