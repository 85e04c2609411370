package receive

import (
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// How a sender shows an endpoint's secret.
const (
	AuthPath   = "path"   // the last part of the path
	AuthHeader = "header" // the value of a header
	AuthBasic  = "basic"  // the password of basic authentication
)

// Where the downlink of an endpoint for BIDIR callbacks comes from.
const (
	DownlinkNone     = "none"     // 204 always
	DownlinkQueue    = "queue"    // what was queued for the device (Receiver.QueueDownlink)
	DownlinkTopic    = "topic"    // the retained message of a topic, once
	DownlinkTemplate = "template" // the same text each time
)

// Endpoint is a place that callbacks of one kind are sent to.
type Endpoint struct {
	Name     string `json:"name"` // 1 to 64 letters, digits, - and _
	Disabled bool   `json:"disabled,omitempty"`

	// Callback is the kind that the sender sends, by its name in Sigfox's documentation: UPLINK, BIDIR, STATUS,
	// ACKNOWLEDGE, REPEATER, DATA_ADVANCED or ERROR. UPLINK when empty.
	Callback string `json:"callback"`

	Auth   string `json:"auth"`             // AuthPath when empty
	Header string `json:"header,omitempty"` // of AuthHeader; X-Sigfox-Secret when empty
	Login  string `json:"login,omitempty"`  // of AuthBasic; sigfox when empty

	// Variables are what the sender sends: variable, and its name in the request. One that is listed must be there. When
	// there are none, each variable of the kind may come under its own name.
	Variables map[string]string `json:"variables,omitempty"`
	// PayloadConfig decodes the variable data into fields that templates have as {customData#name}.
	PayloadConfig string `json:"payloadConfig,omitempty"`

	Topic string `json:"topic"` // a template: sigfox/{device}
	QoS   byte   `json:"qos"`   // 0 or 1
	// Body is a template of JSON; when it is empty, all variables that were sent and all fields.
	Body string `json:"body,omitempty"`

	Downlink         string `json:"downlink,omitempty"`         // DownlinkNone when empty
	DownlinkTopic    string `json:"downlinkTopic,omitempty"`    // a template; sigfox/downlink/{device} when empty
	DownlinkTemplate string `json:"downlinkTemplate,omitempty"` // renders to 16 hexadecimal digits

	Created time.Time `json:"created"`
}

// Defaults of an endpoint.
const (
	defaultHeader        = "X-Sigfox-Secret"
	defaultLogin         = "sigfox"
	defaultDownlinkTopic = "sigfox/downlink/{device}"
)

// kinds are the callbacks that can be received.
var kinds = map[string]template.Kind{
	"UPLINK": template.Uplink, "BIDIR": template.Bidir, "STATUS": template.Status, "ACKNOWLEDGE": template.Acknowledge,
	"REPEATER": template.Repeater, "DATA_ADVANCED": template.DataAdvanced, "ERROR": template.Error,
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...)
}

// normalise fills in what was left out.
func (e *Endpoint) normalise() {
	def := func(s *string, usually string) {
		if *s == "" {
			*s = usually
		}
	}
	def(&e.Callback, "UPLINK")
	def(&e.Auth, AuthPath)
	switch e.Auth {
	case AuthHeader:
		def(&e.Header, defaultHeader)
		e.Header = textproto.CanonicalMIMEHeaderKey(e.Header)
	case AuthBasic:
		def(&e.Login, defaultLogin)
	}
	def(&e.Downlink, DownlinkNone)
	if e.Downlink == DownlinkTopic {
		def(&e.DownlinkTopic, defaultDownlinkTopic)
	}
}

// check refuses what no endpoint may be, but for its templates: see compile.
func (e *Endpoint) check() error {
	kind, known := kinds[e.Callback]
	switch {
	case !namePattern.MatchString(e.Name):
		return invalid("%.80q is not a name for a receiving endpoint", e.Name).WithRemedy("use 1 to 64 letters, digits, hyphens and underscores")
	case !known:
		return invalid("callbacks of kind %.40q cannot be received", e.Callback).WithRemedy("use one of %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	case e.QoS > 1:
		return invalid("QoS %d is none of AWS IoT's", e.QoS).WithRemedy("use 0 or 1")
	case !slices.Contains([]string{AuthPath, AuthHeader, AuthBasic}, e.Auth):
		return invalid("%.40q is no way to show a secret", e.Auth).WithRemedy("use path, header or basic")
	case e.Auth == AuthHeader && !headerPattern.MatchString(e.Header):
		return invalid("%.80q is no name of a header", e.Header).WithRemedy("use Authorization or a name that begins with X-")
	case e.Auth == AuthBasic && strings.ContainsAny(e.Login, ":\r\n"):
		return invalid("the login has a colon or a line break").WithRemedy("leave it out")
	case e.Downlink != DownlinkNone && kind != template.Bidir:
		return invalid("callbacks of kind %s are not answered with a downlink", e.Callback).WithRemedy("use BIDIR, or downlink none")
	}
	return e.checkVariables(kind)
}

// headerPattern is what Sigfox lets a callback set.
var headerPattern = regexp.MustCompile(`^(Authorization|X-[A-Za-z0-9-]{1,100})$`)

func (e *Endpoint) checkVariables(kind template.Kind) error {
	known := kind.Variables()
	for name, sent := range e.Variables {
		if !slices.Contains(known, name) {
			return invalid("%s callbacks have no variable %.40q", e.Callback, name).WithRemedy("use %s", strings.Join(known, ", "))
		}
		if sent == "" || len(sent) > 128 {
			return invalid("the variable %s has no name in the request", name).WithRemedy("write %s=NAME", name)
		}
	}
	if _, ok := e.Variables["device"]; len(e.Variables) > 0 && !ok {
		return invalid("the sender does not send the variable device").WithRemedy("name it: device=NAME")
	}
	return nil
}
