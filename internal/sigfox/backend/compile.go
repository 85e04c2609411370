package backend

import (
	"regexp"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// compiled is a callback that was checked whole, ready to be rendered. It is read-only.
type compiled struct {
	Callback
	config  payload.Config
	url     *template.Template // of URL and BATCH_URL
	headers []template.HeaderTemplate
	body    *template.Template // nil for none
	line    *template.Template // of BATCH_URL
}

// Limits of topics (AWS IoT Core), in bytes.
const (
	maxTopic   = 256
	maxSlashes = 7
)

const (
	contentJSON = "application/json"
	methodGet   = "GET"
)

// DefaultAWSBody is what the AWS connector proposes for DATA/UPLINK (reference, 8.1).
const DefaultAWSBody = `{
  "device" : "{device}",
  "data" : "{data}",
  "time" : "{time}",
  "snr" : "{snr}",
  "station" : "{station}",
  "avgSnr" : "{avgSnr}",
  "lat" : "{lat}",
  "lng" : "{lng}",
  "rssi" : "{rssi}",
  "seqNumber" : "{seqNumber}"
}`

// normalise fills in what is usual.
func (c *Callback) normalise() {
	if c.Channel == ChannelAWS {
		if c.Body == "" && c.Kind() == template.Uplink {
			c.Body = DefaultAWSBody
		}
		return
	}
	if c.Method == "" {
		c.Method = "POST"
		if c.Channel == ChannelBatch && c.Body == "" {
			c.Method = methodGet
		}
	}
	if c.ContentType == "" && c.Method != methodGet {
		c.ContentType = "application/x-www-form-urlencoded"
	}
}

// compile checks a callback whole.
func compile(c *Callback) (*compiled, error) {
	k := &compiled{Callback: *c}
	if err := c.checkKind(); err != nil {
		return nil, err
	}
	var err error
	if k.config, err = payload.Parse(c.PayloadConfig); err != nil {
		return nil, bad("payloadConfig", "%s", err)
	}
	if c.PayloadConfig != "" && !c.Kind().HasPayload() {
		return nil, bad("payloadConfig", "callbacks of kind %s have no payload to cut", c.Kind()).WithRemedy("leave the configuration out")
	}
	switch c.Channel {
	case ChannelURL, ChannelBatch:
		err = k.compileHTTP(c.Channel == ChannelBatch)
	case ChannelAWS:
		err = k.compileAWS()
	case "EMAIL":
		err = fault.Wrap(fault.Unsupported, Field("channel"), "Thingwire sends no mail").WithRemedy("use URL, BATCH_URL or AWS_IOT")
	default:
		err = bad("channel", "there is no channel %q", c.Channel).WithRemedy("use URL, BATCH_URL or AWS_IOT")
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (c *Callback) checkKind() error {
	switch k := c.Kind(); k {
	case template.Uplink, template.Bidir, template.Status, template.Acknowledge, template.DataAdvanced, template.Error:
		return nil
	case template.Geoloc:
		return fault.Wrap(fault.Unsupported, Field("callbackSubtype"), "%s callbacks are not made any more", k).WithRemedy("use SERVICE/DATA_ADVANCED (6)")
	case template.Repeater:
		return fault.Wrap(fault.Unsupported, Field("callbackSubtype"), "Thingwire has no repeaters that a %s callback could tell of", k)
	}
	return bad("callbackSubtype", "there is no callback of type %d and subtype %d", c.Type, c.Subtype).
		WithRemedy("use 0/2 UPLINK, 0/3 BIDIR, 1/0 STATUS, 1/4 ACKNOWLEDGE, 1/6 DATA_ADVANCED or 2/0 ERROR")
}

// parse compiles one template of the callback.
func (k *compiled) parse(field, text string, place template.Place) (*template.Template, error) {
	t, err := template.Parse(text, k.Kind(), k.config, place)
	if err != nil {
		return nil, bad(field, "%s", err)
	}
	return t, nil
}

func (k *compiled) compileHTTP(batch bool) (err error) {
	if k.RoleARN != "" || k.Region != "" || k.Topic != "" {
		return bad("channel", "a %s callback has no role, region or topic", k.Channel).WithRemedy("use AWS_IOT")
	}
	if err := k.checkMethod(); err != nil {
		return err
	}
	place := template.URL
	if batch {
		place = template.BatchURL
	}
	if k.url, err = k.parse("url", k.URL, place); err != nil {
		return err
	}
	typed := make([]template.Header, len(k.Headers))
	for i, h := range k.Headers {
		typed[i] = template.Header(h)
	}
	if k.headers, err = template.ParseHeaders(typed, k.Kind(), k.config, k.url); err != nil {
		return bad("headers", "%s", err)
	}
	if k.Body != "" || k.ContentType == contentJSON {
		place, err := template.BodyPlace(k.ContentType, batch)
		if err != nil {
			return bad("contentType", "%s", err)
		}
		if k.body, err = k.parse("bodyTemplate", k.Body, place); err != nil {
			return err
		}
	}
	if batch {
		return k.compileLine()
	}
	if k.LinePattern != "" {
		return bad("linePattern", "only BATCH_URL callbacks have lines")
	}
	return nil
}

// checkMethod checks what does not depend on templates.
func (k *compiled) checkMethod() error {
	switch {
	case !slices.Contains([]string{methodGet, "POST", "PUT"}, k.Method):
		return bad("httpMethod", "the method is %q", k.Method).WithRemedy("use GET, POST or PUT")
	case k.Method == methodGet && k.Body != "":
		return bad("bodyTemplate", "a GET has no body").WithRemedy("use POST or PUT")
	case k.Method == methodGet && k.ContentType != "":
		return bad("contentType", "a GET has no body and so no content type").WithRemedy("leave it out, or use POST or PUT")
	case k.Kind().JSONOnly() && (k.Method == methodGet || k.ContentType != contentJSON):
		return bad("contentType", "%s callbacks carry a JSON body", k.Kind()).WithRemedy("use POST or PUT with %s", contentJSON)
	case k.Kind().JSONOnly() && k.Channel == ChannelBatch:
		return bad("channel", "%s callbacks carry a JSON body each and make no batches", k.Kind()).WithRemedy("use URL")
	}
	if _, err := template.BodyPlace(k.ContentType, false); err != nil {
		return bad("contentType", "%s", err)
	}
	return nil
}

func (k *compiled) compileLine() (err error) {
	uses := k.url.Variables()
	if k.body != nil {
		uses = append(uses, k.body.Variables()...)
	}
	if len(uses) == 0 {
		return bad("url", "neither the URL nor the body has {%s}", template.BatchVariable).WithRemedy("write for instance https://example.org/?batch={batch}")
	}
	if k.LinePattern == "" {
		return bad("linePattern", "a batch has no pattern for its lines").WithRemedy("write for instance {device};{time};{data};")
	}
	k.line, err = k.parse("linePattern", k.LinePattern, template.BatchLine)
	return err
}

var variable = regexp.MustCompile(`\{[A-Za-z][A-Za-z0-9]*(#[A-Za-z0-9_#-]+)?\}`)

func (k *compiled) compileAWS() (err error) {
	switch {
	case k.Kind() == template.Bidir:
		return fault.Wrap(fault.Unsupported, Field("callbackSubtype"), "an AWS_IOT callback has no answer that could carry a downlink").WithRemedy("use DATA/UPLINK")
	case k.URL != "" || k.Method != "" || len(k.Headers) > 0 || k.LinePattern != "":
		return bad("url", "an AWS_IOT callback has no URL, method, headers or line pattern")
	}
	if _, _, err := delivery.ParseRole(k.RoleARN); err != nil {
		return bad("roleArn", "%s", err)
	}
	if err := delivery.CheckRegion(k.Region); err != nil {
		return bad("region", "%s", err)
	}
	if err := checkTopic(k.Topic); err != nil {
		return err
	}
	k.body, err = k.parse("bodyTemplate", k.Body, template.JSONBody)
	return err
}

func checkTopic(topic string) error {
	switch {
	case topic == "" || len(topic) > maxTopic || strings.Count(topic, "/") > maxSlashes || strings.ContainsAny(topic, "+#\x00") || topic[0] == '$':
		return bad("topic", "%q is no topic to publish to", topic).
			WithRemedy("use 1 to %d bytes with at most %d slashes, without + and #, that do not begin with $", maxTopic, maxSlashes)
	case variable.MatchString(topic):
		return bad("topic", "the topic of an AWS_IOT callback is fixed, and %q has a variable", topic).WithRemedy("put the variable into the body")
	}
	return nil
}

// hints are what may not do what was meant.
func (b *Backend) hints(k *compiled) []string {
	hints := k.config.Lint()
	if b.cfg.Hints != nil {
		hints = append(hints, b.cfg.Hints(&k.Callback)...)
	}
	for _, t := range []*template.Template{k.url, k.body, k.line} {
		if t != nil {
			hints = append(hints, t.Lint()...)
		}
	}
	return hints
}
