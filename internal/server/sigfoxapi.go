package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
	"github.com/thingwire/thingwire/internal/sigfox/receive"
)

// sigfoxPrefix is where the private API has the Sigfox backend.
const sigfoxPrefix = privatePrefix + "sigfox/"

// sigfoxCall is one request to the backend. What it refuses is written in the shape of the control plane.
type sigfoxCall struct {
	*http.Request
	*backend.Backend
	receiver *receive.Receiver
}

// sigfoxRow is one row of the table of calls. Its action is "sigfox:" and the name, on everything.
type sigfoxRow struct {
	name, pattern string // the pattern stands behind sigfoxPrefix
	run           func(c *sigfoxCall) (any, error)
}

var sigfoxRows = []sigfoxRow{
	{"ListDeviceTypes", "GET device-types", sigfoxListTypes},
	{"CreateDeviceType", "POST device-types", sigfoxCreateType},
	{"GetDeviceType", "GET device-types/{type}", sigfoxGetType},
	{"UpdateDeviceType", "PATCH device-types/{type}", sigfoxUpdateType},
	{"DeleteDeviceType", "DELETE device-types/{type}", sigfoxDeleteType},
	{"ListCallbacks", "GET device-types/{type}/callbacks", sigfoxListCallbacks},
	{"CreateCallback", "POST device-types/{type}/callbacks", sigfoxCreateCallback},
	{"GetCallback", "GET device-types/{type}/callbacks/{callback}", sigfoxGetCallback},
	{"UpdateCallback", "PATCH device-types/{type}/callbacks/{callback}", sigfoxUpdateCallback},
	{"DeleteCallback", "DELETE device-types/{type}/callbacks/{callback}", sigfoxDeleteCallback},
	{"TestCallback", "POST device-types/{type}/callbacks/{callback}/test", sigfoxTestCallback},
	{"SelectDownlinkCallback", "PUT device-types/{type}/callbacks/{callback}/downlink", sigfoxSelectDownlink},
	{"ListCallbackDrafts", "GET device-types/{type}/drafts", sigfoxListDrafts},
	{"CreateCallbackDraft", "POST device-types/{type}/drafts", sigfoxCreateDraft},
	{"DeleteCallbackDraft", "DELETE device-types/{type}/drafts/{draft}", sigfoxDeleteDraft},
	{"ListUndelivered", "GET device-types/{type}/undelivered", sigfoxUndeliveredOfType},
	{"ListDevices", "GET devices", sigfoxListDevices},
	{"CreateDevice", "POST devices", sigfoxCreateDevice},
	{"GetDevice", "GET devices/{device}", sigfoxGetDevice},
	{"UpdateDevice", "PATCH devices/{device}", sigfoxUpdateDevice},
	{"DeleteDevice", "DELETE devices/{device}", sigfoxDeleteDevice},
	{"SendUplink", "POST devices/{device}/uplinks", sigfoxSendUplink},
	{"ListMessages", "GET devices/{device}/messages", sigfoxListMessages},
	{"GetMessage", "GET devices/{device}/messages/{number}", sigfoxGetMessage},
	{"ListUndelivered", "GET devices/{device}/undelivered", sigfoxUndeliveredOfDevice},
	{"QueueDownlink", "PUT devices/{device}/downlink", sigfoxQueueDownlink},
	{"CancelDownlink", "DELETE devices/{device}/downlink", sigfoxCancelDownlink},
	{"ListReceivers", "GET receivers", sigfoxListReceivers},
	{"CreateReceiver", "POST receivers", sigfoxCreateReceiver},
	{"GetReceiver", "GET receivers/{receiver}", sigfoxGetReceiver},
	{"UpdateReceiver", "PATCH receivers/{receiver}", sigfoxUpdateReceiver},
	{"DeleteReceiver", "DELETE receivers/{receiver}", sigfoxDeleteReceiver},
	{"QueueReceiverDownlink", "PUT receivers/{receiver}/devices/{device}/downlink", sigfoxQueueReceiverDownlink},
}

// sigfoxAPI is what the verbs of `thingwire sigfox` call.
func sigfoxAPI(f *sigfoxRooms, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for _, row := range sigfoxRows {
		method, path, _ := strings.Cut(row.pattern, " ")
		mux.HandleFunc(method+" "+sigfoxPrefix+path, func(w http.ResponseWriter, r *http.Request) {
			by, _ := awsapi.CallerFrom(r.Context()) // control has refused a request without one
			if err := by.Authorise("sigfox:"+row.name, "*"); err != nil {
				control.Refuse(log, w, r, err)
				return
			}
			out, err := row.run(&sigfoxCall{r, f.backend, f.receiver})
			if err != nil {
				control.Refuse(log, w, r, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			lines := json.NewEncoder(w)
			lines.SetEscapeHTML(false)
			_ = lines.Encode(out) // the client went away
		})
	}
	mux.HandleFunc(sigfoxPrefix, func(w http.ResponseWriter, r *http.Request) {
		control.Refuse(log, w, r, fault.New(fault.Unsupported, "Thingwire has no %s %s", r.Method, r.URL.Path).WithRemedy("see docs/private-api.md"))
	})
	return mux
}

// read decodes the body onto what is there: absent members stay. Unknown ones are refused.
func (c *sigfoxCall) read(onto any) error {
	in := json.NewDecoder(c.Body)
	in.DisallowUnknownFields()
	err := in.Decode(onto)
	if errors.Is(err, io.EOF) {
		return nil // no body changes nothing
	}
	if err == nil && in.More() {
		err = errors.New("something stands behind it")
	}
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the body cannot be read")
	}
	return nil
}

// sigfoxPage is a page of a list, in the control plane's shape.
type sigfoxPage[T any] struct {
	Items     []T    `json:"items"`
	NextToken string `json:"nextToken,omitempty"`
}

func pageOf[T any](items []T, next string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return sigfoxPage[T]{append([]T{}, items...), next}, nil
}

// maxSigfoxPage is how many entries a page has at most.
const maxSigfoxPage = 250

// page reads which part of a list is asked for.
func (c *sigfoxCall) page() (p backend.Page, err error) {
	q := c.URL.Query()
	p.After, p.Limit = q.Get("nextToken"), 100
	if text := q.Get("maxResults"); text != "" {
		if p.Limit, err = strconv.Atoi(text); err != nil || p.Limit < 1 || p.Limit > maxSigfoxPage {
			return p, fault.New(fault.Invalid, "maxResults is %q", text).WithRemedy("use 1 to %d", maxSigfoxPage)
		}
	}
	return p, nil
}

// kind is the device type of the path, by its id or name.
func (c *sigfoxCall) kind() (*backend.DeviceType, error) {
	return c.FindDeviceType(c.Context(), c.PathValue("type"))
}

// nothing is the answer of a call that says nothing.
func nothing(err error) (any, error) { return struct{}{}, err }
