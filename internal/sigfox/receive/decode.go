package receive

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// Bounds of a callback.
const (
	maxBody  = 128 << 10 // bytes, as of a message
	maxValue = 64 << 10  // bytes of one variable
	maxFrame = payload.FrameBytes
)

// values are the variables of one callback, and its device in canonical form.
type values struct {
	template.Map
	device string
}

type methodError struct{}

// Error names it.
func (methodError) Error() string { return "method" }

// Label says that it is no more than a name.
func (methodError) Label() {}

var errMethod = methodError{}

// decode reads a callback: the query, and the body over it.
func (c *compiled) decode(w http.ResponseWriter, req *http.Request) (*values, error) {
	sent, err := fieldsOf(w, req)
	if err != nil {
		return nil, err
	}
	v := &values{Map: template.Map{}}
	for name, as := range c.names {
		text, ok := sent[as]
		if !ok && c.must {
			return nil, invalid("the sender left out %q, which is the variable %s", as, name).
				WithRemedy("put {%s} into the callback's template, or take it off the endpoint's variables", name)
		}
		if ok {
			v.Map[name] = text
		}
	}
	if v.device, err = deviceID(v.Map["device"]); err != nil {
		return nil, err
	}
	v.Map["device"] = v.device
	return v, c.decodeFrame(v)
}

// decodeFrame takes the payload apart.
func (c *compiled) decodeFrame(v *values) error {
	data, ok := v.Map["data"]
	if !ok {
		data = ""
	}
	frame, err := hex.DecodeString(data)
	if err != nil || len(frame) > maxFrame {
		return invalid("%.40q is no payload", data).WithRemedy("a frame has 0 to %d bytes, in hexadecimal digits", maxFrame)
	}
	if c.kind.HasPayload() {
		v.AddCustom(c.fields.Decode(frame))
	}
	return nil
}

// deviceID is a device id in upper case without leading zeros (Sigfox reference, section 1).
func deviceID(text string) (string, error) {
	id := strings.ToUpper(strings.TrimLeft(text, "0"))
	if id == "" || len(text) > 8 || strings.Trim(id, "0123456789ABCDEF") != "" {
		return "", invalid("%.40q is no device id", text).WithRemedy("send the variable {device}: up to 8 hexadecimal digits")
	}
	return id, nil
}

// fieldsOf reads what a request says, by name. What is null is left out.
func fieldsOf(w http.ResponseWriter, req *http.Request) (map[string]string, error) {
	sent := map[string]string{}
	if err := addForm(sent, req.URL.RawQuery); err != nil {
		return nil, err
	}
	switch req.Method {
	case http.MethodGet:
		return sent, nil
	case http.MethodPost, http.MethodPut:
	default:
		return nil, fault.Wrap(fault.Invalid, errMethod, "%.20q is no method of a callback", req.Method).WithRemedy("use GET, POST or PUT")
	}
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && kind != "application/x-www-form-urlencoded" {
		return nil, fault.New(fault.Unsupported, "a body of type %.80q cannot be read", req.Header.Get("Content-Type")).
			WithRemedy("set the callback's content type to application/json or application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fault.New(fault.TooLarge, "the body is over the limit of %d bytes", maxBody).WithRemedy("send less")
	}
	if err != nil {
		return nil, invalid("the body ended before it was complete")
	}
	if kind == "application/json" {
		return sent, addJSON(sent, body)
	}
	return sent, addForm(sent, string(body))
}

// add takes one value; names that come twice are refused, for which of them was meant is anybody's guess.
func add(sent map[string]string, name, value string) error {
	if _, twice := sent[name]; twice {
		return invalid("%.40q was sent twice", name).WithRemedy("send it once, in the query or in the body")
	}
	if len(value) > maxValue || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return invalid("the value of %.40q cannot be used", name).WithRemedy("send UTF-8 of at most %d bytes", maxValue)
	}
	sent[name] = value
	return nil
}

func addForm(sent map[string]string, text string) error {
	form, err := url.ParseQuery(text)
	if err != nil {
		return invalid("the form or the query cannot be read").WithRemedy("percent-encode what is no letter, digit, or -._~")
	}
	for name, all := range form {
		for _, value := range all {
			if value == "null" { // a variable without a value
				continue
			}
			if err := add(sent, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// addJSON reads the members of one object. Numbers, arrays and objects are kept as they are written.
func addJSON(sent map[string]string, body []byte) error {
	object, err := members(body)
	if err != nil {
		return invalid("the body is no JSON object").WithRemedy("let the callback's body be one: {\"device\":\"{device}\"}")
	}
	for _, m := range object {
		value := string(m.value)
		if m.value[0] == '"' {
			if err := json.Unmarshal(m.value, &value); err != nil {
				return invalid("the value of %.40q cannot be read", m.name)
			}
		}
		if value == "null" { // as a text it is what Sigfox writes for a value that is missing between quotes
			continue
		}
		if err := add(sent, m.name, value); err != nil {
			return err
		}
	}
	return nil
}

type member struct {
	name  string
	value json.RawMessage
}

// members are those of an object, in order and with those that come twice, which encoding/json would not tell.
func members(body []byte) (all []member, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		all = append(all, member{name, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	return all, nil
}

var errNotObject = errors.New("no JSON object")
