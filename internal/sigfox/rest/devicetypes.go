package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// deviceType is a device type as the API shows it.
type deviceType struct {
	ID                 string  `json:"id"`
	Name               string  `json:"name"`
	Description        string  `json:"description,omitempty"`
	DownlinkMode       int     `json:"downlinkMode"`
	DownlinkDataString string  `json:"downlinkDataString,omitempty"`
	PayloadType        int     `json:"payloadType"`
	PayloadConfig      string  `json:"payloadConfig,omitempty"`
	KeepAlive          int     `json:"keepAlive"`
	AlertEmail         string  `json:"alertEmail,omitempty"`
	Group              named   `json:"group"`
	Contracts          []named `json:"contracts"`
	AutomaticRenewal   bool    `json:"automaticRenewal"`
	CreationTime       int64   `json:"creationTime"`
	LastEditionTime    int64   `json:"lastEditionTime,omitempty"`
}

var typeFields = fields{"group": of("name", "type", "level"), "contracts": of("name"), "contract": of("name"), "geolocPayloadConfig": of("name")}

func showType(t *backend.DeviceType, f fields) *deviceType {
	out := &deviceType{
		ID: t.ID, Name: t.Name, Description: t.Description, DownlinkMode: t.DownlinkMode, DownlinkDataString: t.DownlinkData, PayloadType: t.PayloadType,
		PayloadConfig: t.PayloadConfig, KeepAlive: t.KeepAlive, AlertEmail: t.AlertEmail, Group: named{ID: group.ID}, Contracts: []named{},
		AutomaticRenewal: true, CreationTime: millis(t.Created), LastEditionTime: millis(t.Edited),
	}
	if f.has("group", "name") {
		out.Group.Name = group.Name
	}
	return out
}

func listTypes(c *call) error {
	f, p, offset, err := c.query.listing(typeFields)
	if err != nil {
		return err
	}
	if !c.query.inGroup() {
		return list[deviceType](c, nil, "")
	}
	var want func(*backend.DeviceType) bool
	if name, kind := c.query.Get("name"), c.query.Get("payloadType"); name != "" || kind != "" {
		want = func(t *backend.DeviceType) bool {
			return strings.Contains(t.Name, name) && (kind == "" || kind == strconv.Itoa(t.PayloadType))
		}
	}
	all, next, err := collect(p, offset, want, func(p backend.Page) ([]backend.DeviceType, string, error) { return c.DeviceTypes(c.ctx(), p) })
	if err != nil {
		return err
	}
	data := make([]*deviceType, len(all))
	for i := range all {
		data[i] = showType(&all[i], f)
	}
	return list(c, data, next)
}

func getType(c *call) error {
	f, err := c.query.fields(typeFields)
	if err != nil {
		return err
	}
	t, err := c.DeviceType(c.ctx(), c.path[0])
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, showType(t, f))
}

// takeType takes the members that a device type may be created and changed with.
func takeType(m *members, t *backend.DeviceType) error {
	take(m, "name", &t.Name)
	take(m, "description", &t.Description)
	takeOr(m, "downlinkMode", &t.DownlinkMode, backend.DownlinkNone)
	take(m, "downlinkDataString", &t.DownlinkData)
	takeOr(m, "payloadType", &t.PayloadType, backend.PayloadRegular)
	take(m, "payloadConfig", &t.PayloadConfig)
	take(m, "keepAlive", &t.KeepAlive)
	take(m, "alertEmail", &t.AlertEmail)
	m.accept("groupId", "contractId", "contracts", "automaticRenewal")
	return m.done()
}

func createType(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	m.require("name", "groupId", "contracts")
	t := backend.NewDeviceType("")
	if err := takeType(m, t); err != nil {
		return err
	}
	made, err := c.CreateDeviceType(*t)
	if err != nil {
		return err
	}
	return c.created(made.ID, nil, "device-types", made.ID)
}

func updateType(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	_, err = c.EditDeviceType(c.ctx(), c.path[0], func(t *backend.DeviceType) error { return takeType(m, t) })
	return c.done(err)
}

func deleteType(c *call) error { return c.done(c.DeleteDeviceType(c.ctx(), c.path[0])) }
