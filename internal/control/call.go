package control

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// call is one request to one operation.
type call struct {
	*http.Request
	cfg    *Config
	op     *operation
	labels map[string]string // decoded
	query  url.Values
	body   []byte
}

func (c *call) registry() *registry.Registry { return c.cfg.Registry }

// arn is the ARN of a resource of this account.
func (c *call) arn(kind, name string) string { return c.cfg.Registry.ARN(kind + "/" + name) }

// read decodes the body's members; members that it does not know are ignored, as AWS does. An absent body is {}.
func (c *call) read(into any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return fault.Wrap(fault.Invalid, err, "the request's body is not what %s takes", c.op.name)
	}
	return nil
}

// header is a member that travels in a header.
func (c *call) header(name string) (string, error) {
	v := c.Header.Get(name)
	if v == "" {
		return "", fault.New(fault.Invalid, "the header %s is missing", name)
	}
	return v, nil
}

// boolean is a query parameter that is true or false; absent is false.
func (c *call) boolean(name string) (bool, error) {
	switch v := c.query.Get(name); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, fault.New(fault.Invalid, "%s=%q is neither true nor false", name, v)
	}
}

// number is a query parameter that is a whole number; nil if absent.
func (c *call) number(name string) (*int64, error) {
	v := c.query.Get(name)
	if v == "" {
		return nil, nil //nolint:nilnil // absent is a value here
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s=%q is not a number", name, v)
	}
	return &n, nil
}

// epoch is a time as rest-json writes it: a number of seconds with milliseconds. The Go SDK refuses strings.
type epoch time.Time

// MarshalJSON writes the number.
func (e epoch) MarshalJSON() ([]byte, error) {
	ms := time.Time(e).UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(nil, ms/1000, 10), nil
	}
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', 3, 64), nil
}
