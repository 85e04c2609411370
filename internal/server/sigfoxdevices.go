package server

import (
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

func (c *sigfoxCall) device() string { return c.PathValue("device") }

func sigfoxListDevices(c *sigfoxCall) (any, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	typeID := ""
	if name := c.URL.Query().Get("deviceType"); name != "" {
		t, err := c.FindDeviceType(c.Context(), name)
		if err != nil {
			return nil, err
		}
		typeID = t.ID
	}
	return pageOf(c.Devices(c.Context(), typeID, p))
}

func sigfoxCreateDevice(c *sigfoxCall) (any, error) {
	var d backend.Device
	if err := c.read(&d); err != nil {
		return nil, err
	}
	t, err := c.FindDeviceType(c.Context(), d.DeviceType)
	if err != nil {
		return nil, err
	}
	d.DeviceType = t.ID
	return c.CreateDevice(c.Context(), d)
}

func sigfoxGetDevice(c *sigfoxCall) (any, error) { return c.Device(c.Context(), c.device()) }

func sigfoxUpdateDevice(c *sigfoxCall) (any, error) {
	return c.EditDevice(c.Context(), c.device(), func(d *backend.Device) error {
		if err := c.read(d); err != nil {
			return err
		}
		t, err := c.FindDeviceType(c.Context(), d.DeviceType)
		if err == nil {
			d.DeviceType = t.ID
		}
		return err
	})
}

func sigfoxDeleteDevice(c *sigfoxCall) (any, error) {
	return nothing(c.DeleteDevice(c.Context(), c.device()))
}

// SigfoxUplink is a frame as the private API takes it.
type SigfoxUplink struct {
	Data  string    `json:"data"`                // hexadecimal digits
	Time  time.Time `json:"time,omitzero"`       // now when absent
	Seq   *int      `json:"seqNumber,omitempty"` // the next one when absent
	Ack   bool      `json:"ackRequired,omitempty"`
	Await bool      `json:"await,omitempty"` // with Ack: the answer comes when the device would have its downlink
	backend.Radio
	OOB *backend.OOB `json:"oob,omitempty"`
}

// SigfoxUplinked answers it.
type SigfoxUplinked struct {
	backend.Message
	Downlink string `json:"downlink,omitempty"` // 16 hexadecimal digits, of Await
}

func sigfoxSendUplink(c *sigfoxCall) (any, error) {
	var u SigfoxUplink
	if err := c.read(&u); err != nil {
		return nil, err
	}
	data, err := backend.ParseData(u.Data)
	if err != nil {
		return nil, err
	}
	m, err := c.Uplink(c.Context(), backend.Frame{Device: c.device(), Data: data, Time: u.Time, Seq: u.Seq, Ack: u.Ack, Radio: u.Radio, OOB: u.OOB})
	if err != nil {
		return nil, err
	}
	out := SigfoxUplinked{Message: *m}
	if u.Ack && u.Await && m.Withheld == "" {
		if out.Downlink, err = c.AwaitDownlink(c.Context(), m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func sigfoxListMessages(c *sigfoxCall) (any, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	return pageOf(c.Messages(c.Context(), c.device(), backend.MessageQuery{}, p))
}

func sigfoxGetMessage(c *sigfoxCall) (any, error) {
	d, err := c.Device(c.Context(), c.device())
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(c.PathValue("number"), 10, 64)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%q is no number of a message", c.PathValue("number"))
	}
	return c.Show(c.Context(), d.ID, n)
}

func sigfoxUndeliveredOfDevice(c *sigfoxCall) (any, error) {
	p, err := c.page()
	if err != nil {
		return nil, err
	}
	return pageOf(c.NotDelivered(c.Context(), backend.UndeliveredQuery{Device: c.device()}, p))
}

// SigfoxDownlink is what is queued for a device.
type SigfoxDownlink struct {
	Data    string `json:"data"`              // 16 hexadecimal digits
	Expires int64  `json:"expires,omitempty"` // seconds from now; never when 0
}

// longestExpiry bounds Expires, so that a sum of times stays one.
const longestExpiry = 10 * 365 * 24 * 3600

// downlink reads what is to be queued, and when it is of no use any more: never when zero.
func (c *sigfoxCall) downlink() (data string, expires time.Time, err error) {
	var d SigfoxDownlink
	if err := c.read(&d); err != nil {
		return "", expires, err
	}
	switch {
	case d.Expires < 0 || d.Expires > longestExpiry:
		return "", expires, fault.New(fault.Invalid, "expires is %d", d.Expires).WithRemedy("say after how many seconds the downlink is of no use")
	case d.Expires > 0:
		expires = time.Now().Add(time.Duration(d.Expires) * time.Second).UTC()
	}
	return d.Data, expires, nil
}

func sigfoxQueueDownlink(c *sigfoxCall) (any, error) {
	data, expires, err := c.downlink()
	if err != nil {
		return nil, err
	}
	return c.QueueDownlink(c.Context(), c.device(), data, expires)
}

func sigfoxCancelDownlink(c *sigfoxCall) (any, error) {
	return nothing(c.CancelDownlink(c.Context(), c.device()))
}
