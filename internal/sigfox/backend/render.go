package backend

import (
	"maps"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/delivery"
	"github.com/thingwire/thingwire/internal/sigfox/template"
)

// facts are what a delivery tells, by the names of variables, in the form in which templates insert them. Arrays and
// objects are JSON. What is not there renders as null.
type facts map[string]string

// values are the facts of one delivery with the fields of the callback's own payload configuration.
func (k *compiled) values(i *item) template.Map {
	v := maps.Clone(template.Map(i.Facts))
	if k.Kind().HasPayload() {
		v.AddCustom(k.config.Decode(i.bytes()))
	}
	return v
}

// render makes the request of one delivery, or of a batch.
func (k *compiled) render(v template.Values) (*delivery.Request, error) {
	r := &delivery.Request{Channel: k.Channel, Method: k.Method, ContentType: k.ContentType, SendSNI: k.SendSNI}
	for _, h := range k.headers {
		value, err := h.Value.Render(v)
		if err != nil {
			return nil, err
		}
		r.Headers = append(r.Headers, delivery.Header{Name: h.Name, Value: value})
	}
	var err error
	if k.url != nil {
		if r.URL, err = k.url.Render(v); err != nil {
			return nil, err
		}
	}
	if k.body != nil {
		if r.Body, err = k.body.Render(v); err != nil {
			return nil, err
		}
	}
	if k.Channel == ChannelAWS {
		r.AWS = &delivery.AWSTarget{RoleARN: k.RoleARN, ExternalID: k.ExternalID, Region: k.Region, Topic: k.Topic, SessionName: "sigfox-" + k.ID}
	}
	return r, nil
}

// inOrder sorts deliveries by when they were owed.
func inOrder(items []*item) {
	slices.SortStableFunc(items, func(a, b *item) int { return a.Since.Compare(b.Since) })
}

// batch makes a request of as many deliveries as it takes, from the first on, and says how many those are.
func (k *compiled) batch(items []*item) (r *delivery.Request, n int, err error) {
	for n = len(items); ; n /= 2 {
		var lines strings.Builder
		for _, i := range items[:n] {
			line, err := k.line.Render(k.values(i))
			if err != nil {
				return nil, n, err
			}
			lines.WriteString(line)
		}
		r, err = k.render(template.Map{template.BatchVariable: lines.String()})
		if n == 1 || !fault.Is(err, fault.TooLarge) {
			return r, n, err
		}
	}
}
