package rest

import (
	"net/http"
	"strings"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// named is something by its id, and by its name where that was asked for.
type named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// group is the only one.
var group = struct {
	named
	Type  int `json:"type"`
	Level int `json:"level"`
}{named{"000000000000000000000001", "Thingwire"}, 2, 0}

// device is a device as the API shows it.
type device struct {
	ID               string            `json:"id"`
	Name             string            `json:"name"`
	SatelliteCapable bool              `json:"satelliteCapable"`
	Repeater         bool              `json:"repeater"`
	MessageModulo    int               `json:"messageModulo"`
	DeviceType       named             `json:"deviceType"`
	Group            named             `json:"group"`
	Prototype        bool              `json:"prototype"`
	Location         *backend.Position `json:"location,omitempty"`
	PAC              string            `json:"pac"`
	SequenceNumber   *int              `json:"sequenceNumber,omitempty"`
	LastCom          int64             `json:"lastCom,omitempty"`
	LQI              int               `json:"lqi"`
	ActivationTime   int64             `json:"activationTime,omitempty"`
	CreationTime     int64             `json:"creationTime"`
	LastEditionTime  int64             `json:"lastEditionTime,omitempty"`
	State            int               `json:"state"`
	ComState         int               `json:"comState"`
	Token            token             `json:"token"`
	AutomaticRenewal bool              `json:"automaticRenewal"`
	Activable        bool              `json:"activable"`
}

type token struct {
	State int `json:"state"` // 0 OK, 1 OFF_CONTRACT
}

const messageModulo = 4096

var deviceFields = fields{"deviceType": of("name"), "group": of("name", "type", "level")}

// device shows one; names has the names of device types that are known already.
func (c *call) device(d *backend.DeviceStatus, f fields, names map[string]string) (*device, error) {
	out := &device{
		ID: d.ID, Name: d.Name, MessageModulo: messageModulo, DeviceType: named{ID: d.DeviceType}, Group: named{ID: group.ID}, Location: d.Position,
		PAC: d.PAC, SequenceNumber: d.SequenceNumber, LastCom: millis(d.LastCom), LQI: d.LQI, ActivationTime: millis(d.Created),
		CreationTime: millis(d.Created), LastEditionTime: millis(d.Edited), State: d.State, ComState: d.ComState, AutomaticRenewal: true, Activable: true,
	}
	if d.State == backend.DeviceOffContract {
		out.Token.State = 1
	}
	if f.has("group", "name") {
		out.Group.Name = group.Name
	}
	if !f.has("deviceType", "name") {
		return out, nil
	}
	if _, known := names[d.DeviceType]; !known {
		t, err := c.DeviceType(c.ctx(), d.DeviceType)
		if err != nil {
			return nil, err
		}
		names[d.DeviceType] = t.Name
	}
	out.DeviceType.Name = names[d.DeviceType]
	return out, nil
}

// inGroup reports whether a list that is narrowed to groups has anything.
func (q query) inGroup() bool {
	if !q.Has("groupIds") {
		return true
	}
	for id := range strings.SplitSeq(q.Get("groupIds"), ",") {
		if strings.TrimSpace(id) == group.ID {
			return true
		}
	}
	return false
}

func listDevices(c *call) error {
	f, p, offset, err := c.query.listing(deviceFields)
	if err != nil {
		return err
	}
	if !c.query.inGroup() {
		return list[device](c, nil, "")
	}
	typeID := c.query.Get("deviceTypeId")
	if typeID != "" {
		if _, err := c.DeviceType(c.ctx(), typeID); err != nil {
			return err
		}
	}
	if c.query.Has("id") {
		return c.listOne(c.query.Get("id"), typeID, f)
	}
	all, next, err := collect(p, offset, nil, func(p backend.Page) ([]backend.DeviceStatus, string, error) { return c.Devices(c.ctx(), typeID, p) })
	if err != nil {
		return err
	}
	data, names := make([]*device, len(all)), map[string]string{}
	for i := range all {
		if data[i], err = c.device(&all[i], f, names); err != nil {
			return err
		}
	}
	return list(c, data, next)
}

// listOne is a list that is narrowed to one id.
func (c *call) listOne(id, typeID string, f fields) error {
	var data []*device
	if d, err := c.Device(c.ctx(), id); err == nil && (typeID == "" || d.DeviceType == typeID) {
		one, err := c.device(d, f, map[string]string{})
		if err != nil {
			return err
		}
		data = append(data, one)
	}
	return list(c, data, "")
}

func getDevice(c *call) error {
	f, err := c.query.fields(deviceFields)
	if err != nil {
		return err
	}
	d, err := c.Device(c.ctx(), c.path[0])
	if err != nil {
		return err
	}
	out, err := c.device(d, f, map[string]string{})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, out)
}

// take takes the members that a device may be created and changed with.
func takeDevice(m *members, d *backend.Device) error {
	take(m, "name", &d.Name)
	take(m, "deviceTypeId", &d.DeviceType)
	m.accept("prototype", "automaticRenewal", "activable", "productCertificate")
	var lat, lng *float64
	if p := d.Position; p != nil {
		lat, lng = &p.Lat, &p.Lng
	}
	take(m, "lat", &lat)
	take(m, "lng", &lng)
	switch {
	case lat == nil && lng == nil:
		d.Position = nil
	case lat == nil || lng == nil:
		m.wrong("lat", "lat and lng come together")
	default:
		d.Position = &backend.Position{Lat: *lat, Lng: *lng}
	}
	return m.done()
}

func createDevice(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	m.require("id", "name", "deviceTypeId", "pac")
	var d backend.Device
	take(m, "id", &d.ID)
	take(m, "pac", &d.PAC)
	if err := takeDevice(m, &d); err != nil {
		return err
	}
	made, err := c.CreateDevice(c.ctx(), d)
	if err != nil {
		return err
	}
	return c.created(made.ID, nil, "devices", made.ID)
}

func updateDevice(c *call) error {
	m, err := c.read()
	if err != nil {
		return err
	}
	_, err = c.EditDevice(c.ctx(), c.path[0], func(d *backend.Device) error { return takeDevice(m, d) })
	return c.done(err)
}

func deleteDevice(c *call) error { return c.done(c.DeleteDevice(c.ctx(), c.path[0])) }
