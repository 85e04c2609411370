package rest

import (
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// undelivered is a callback that was given up, as the API shows it. Its status is text here.
type undelivered struct {
	DeviceID     string            `json:"deviceId"`
	DeviceTypeID string            `json:"deviceTypeId"`
	Time         int64             `json:"time"`
	Data         string            `json:"data"`
	Status       string            `json:"status"`
	Message      string            `json:"message"`
	Callback     attempted         `json:"callback"`
	Parameters   map[string]string `json:"parameters"`
}

// attempted is the request that was made last.
type attempted struct {
	URL         string            `json:"url,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        string            `json:"body,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Method      string            `json:"method,omitempty"`
	Error       string            `json:"error,omitempty"`
}

func showUndelivered(u *backend.Undelivered) *undelivered {
	out := &undelivered{
		DeviceID: u.Device, DeviceTypeID: u.DeviceType, Time: millis(u.Time), Data: u.Data, Status: u.Status(), Message: u.Latest.Info,
		Callback: attempted{Error: u.Latest.Remedy}, Parameters: u.Parameters,
	}
	sent := u.Latest.Sent
	if sent == nil {
		return out
	}
	out.Callback.URL, out.Callback.Body, out.Callback.ContentType, out.Callback.Method = sent.URL, sent.Body, sent.ContentType, sent.Method
	for _, h := range sent.Headers {
		if out.Callback.Headers == nil {
			out.Callback.Headers = map[string]string{}
		}
		out.Callback.Headers[h.Name] = h.Value
	}
	return out
}

func undeliveredOfDevice(c *call) error {
	return c.undelivered(backend.UndeliveredQuery{Device: c.path[0]})
}

func undeliveredOfType(c *call) error {
	return c.undelivered(backend.UndeliveredQuery{DeviceType: c.path[0]})
}

func undeliveredOfCallback(c *call) error {
	if _, err := c.Callback(c.ctx(), c.path[0], c.path[1]); err != nil {
		return err
	}
	return c.undelivered(backend.UndeliveredQuery{DeviceType: c.path[0], Callback: c.path[1]})
}

// undeliveredOfGroup lists what was not delivered of all device types.
func undeliveredOfGroup(c *call) error {
	if c.path[0] != group.ID {
		return fault.New(fault.NotFound, "there is no group %.40q", c.path[0]).WithRemedy("the only one is %s", group.ID)
	}
	_, p, offset, err := c.query.listing(nil)
	if err != nil {
		return err
	}
	var q backend.UndeliveredQuery
	if q.Since, q.Before, err = c.query.window(); err != nil {
		return err
	}
	types, _, err := c.DeviceTypes(c.ctx(), backend.Page{Limit: maxSources + 1})
	if err != nil {
		return err
	}
	var all []*source[backend.Undelivered]
	for _, t := range types {
		q.DeviceType = t.ID
		all = append(all, undeliveredSource(c, q))
	}
	found, more, err := merge(all, p.Limit, offset)
	if err != nil {
		return err
	}
	data := make([]*undelivered, len(found))
	for i := range found {
		data[i] = showUndelivered(&found[i])
	}
	return listMerged(c, data, offset, more)
}

func undeliveredSource(c *call, q backend.UndeliveredQuery) *source[backend.Undelivered] {
	return &source[backend.Undelivered]{
		at:   func(u *backend.Undelivered) time.Time { return u.Latest.Time },
		read: func(p backend.Page) ([]backend.Undelivered, string, error) { return c.NotDelivered(c.ctx(), q, p) },
	}
}

func (c *call) undelivered(q backend.UndeliveredQuery) (err error) {
	p, offset, err := c.query.page()
	if err != nil {
		return err
	}
	if q.Since, q.Before, err = c.query.window(); err != nil {
		return err
	}
	all, next, err := collect(p, offset, nil, func(p backend.Page) ([]backend.Undelivered, string, error) { return c.NotDelivered(c.ctx(), q, p) })
	if err != nil {
		return err
	}
	data := make([]*undelivered, len(all))
	for i := range all {
		data[i] = showUndelivered(&all[i])
	}
	return list(c, data, next)
}
