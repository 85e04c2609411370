package rest

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// operation is one row of the table: its action is "sigfox:" and the name. Parameters are those of the query that it knows.
type operation struct {
	name, method, pattern string // segments that are * are given to run
	parameters            string // separated by spaces
	run                   func(c *call) error
}

const paging = " limit offset pageId"

// operations are what is there. Those without run are Sigfox's, and refused in words.
var operations = []operation{
	{"ListDevices", "GET", "devices", "deviceTypeId id groupIds deep sort fields" + paging, listDevices},
	{"CreateDevice", "POST", "devices", "", createDevice},
	{"GetDevice", "GET", "devices/*", "fields", getDevice},
	{"UpdateDevice", "PUT", "devices/*", "", updateDevice},
	{"DeleteDevice", "DELETE", "devices/*", "", deleteDevice},
	{"ListMessages", "GET", "devices/*/messages", "since before fields" + paging, listMessages},
	{"ListMessages", "GET", "devices/*/messages/metric", "", countMessages},
	{"ListUndelivered", "GET", "devices/*/callbacks-not-delivered", "since before" + paging, undeliveredOfDevice},
	{"ListDeviceTypes", "GET", "device-types", "name groupIds deep payloadType sort fields" + paging, listTypes},
	{"CreateDeviceType", "POST", "device-types", "", createType},
	{"GetDeviceType", "GET", "device-types/*", "fields", getType},
	{"UpdateDeviceType", "PUT", "device-types/*", "", updateType},
	{"DeleteDeviceType", "DELETE", "device-types/*", "", deleteType},
	{"ListCallbacks", "GET", "device-types/*/callbacks", "channel", listCallbacks},
	{"CreateCallback", "POST", "device-types/*/callbacks", "", createCallback},
	{"UpdateCallback", "PUT", "device-types/*/callbacks/*", "", updateCallback},
	{"DeleteCallback", "DELETE", "device-types/*/callbacks/*", "", deleteCallback},
	{"UpdateCallback", "PUT", "device-types/*/callbacks/*/enable", "enabled", enableCallback},
	{"SelectDownlinkCallback", "PUT", "device-types/*/callbacks/*/downlink", "", selectDownlink},
	{"ListUndelivered", "GET", "device-types/*/callbacks-not-delivered", "since before" + paging, undeliveredOfType},
	{"ListUndelivered", "GET", "device-types/*/callbacks/*/callbacks-not-delivered", "since before" + paging, undeliveredOfCallback},
	{"ListMessages", "GET", "device-types/*/messages", "since before fields limit offset", listMessagesOfType},
	{"ListUndelivered", "GET", "groups/*/callbacks-not-delivered", "since before limit offset", undeliveredOfGroup},
}

// absent are paths of Sigfox's API that are not here.
var absent = []string{
	"devices/*/locations", "devices/*/consumption/*", "devices/*/consumption/*/*", "devices/*/unsubscribe", "devices/*/disengage", "devices/bulk",
	"devices/bulk/*", "device-types/*/disengage", "device-types/bulk",
}

// route finds the operation of a request, and puts what its path names into the call. A slash at the end means nothing.
func (c *call) route() (*operation, error) {
	prefix, rest, _ := split(c.r.URL.EscapedPath())
	c.prefix = prefix
	segments := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for _, pattern := range absent {
		if _, ok := match(pattern, segments); ok {
			return nil, fault.New(fault.Unsupported, "Thingwire does not have this part of the Sigfox API").WithRemedy("see docs/compatibility.md")
		}
	}
	var methods []string
	for i := range operations {
		op := &operations[i]
		names, ok := match(op.pattern, segments)
		if !ok {
			continue
		}
		if op.method == c.r.Method {
			c.path = names
			return op, nil
		}
		methods = append(methods, op.method)
	}
	if methods == nil {
		return nil, fault.New(fault.NotFound, "there is nothing at this path").WithRemedy("see docs/compatibility.md for what is there")
	}
	c.w.Header().Set("Allow", strings.Join(methods, ", "))
	return nil, fault.Wrap(fault.Invalid, errMethod, "this path does not take %.20s", c.r.Method).WithRemedy("use %s", strings.Join(methods, " or "))
}

// match compares a path with a pattern and gives the segments that stand for *, decoded.
func match(pattern string, segments []string) (names []string, ok bool) {
	want := strings.Split(pattern, "/")
	if len(want) != len(segments) {
		return nil, false
	}
	for i, w := range want {
		plain, err := url.PathUnescape(segments[i])
		switch {
		case err != nil || plain == "":
			return nil, false
		case w == "*":
			names = append(names, plain)
		case w != plain:
			return nil, false
		}
	}
	return names, true
}

type labelError string

// Error is the label.
func (e labelError) Error() string { return string(e) }

// Label says that it is no more than a name.
func (labelError) Label() {}

const errMethod labelError = "method"

// created answers 201 with the id of what was made and where it is.
func (c *call) created(id string, more map[string]string, path ...string) error {
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	c.w.Header().Set("Location", c.base()+c.prefix+strings.Join(path, "/"))
	body := map[string]string{"id": id}
	maps.Copy(body, more)
	return c.answer(http.StatusCreated, body)
}

// base is how the client calls this server. The API is on listeners with TLS alone.
func (c *call) base() string { return "https://" + c.r.Host }
