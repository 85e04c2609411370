package backend

import (
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/delivery"
)

// Attempt is one try to deliver: Sigfox's cbStatus, and what was sent.
type Attempt struct {
	Status int       `json:"status"` // of HTTP, or as section 6 of the reference says; 0 without an answer
	Info   string    `json:"info"`
	Remedy string    `json:"remedy,omitempty"`
	Time   time.Time `json:"time"`
	Sent   *Sent     `json:"request,omitempty"` // nil when nothing was sent
}

// Sent is a rendered request without its secrets.
type Sent struct {
	Method      string   `json:"method,omitempty"`
	URL         string   `json:"url,omitempty"`
	ContentType string   `json:"contentType,omitempty"`
	Headers     []Header `json:"headers,omitempty"`
	Body        string   `json:"body,omitempty"`
}

// States of a result.
const (
	Delivered = "delivered"
	Retrying  = "retrying"
	Failed    = "failed"
)

// Result is what became of one callback of one message.
type Result struct {
	Callback   string    `json:"callback"`
	Kind       string    `json:"kind"`
	Channel    string    `json:"channel"`
	Definition string    `json:"cbDef"`
	State      string    `json:"state"`
	Attempts   int       `json:"attempts"`
	First      *Attempt  `json:"first,omitempty"` // where there were several
	Latest     *Attempt  `json:"latest"`
	Next       time.Time `json:"next,omitzero"` // of the next attempt
}

// Arrows of the message list (reference, section 13).
const (
	Green = "green" // delivered
	Amber = "amber" // on its way, or to be tried again
	Red   = "red"   // failed
	Grey  = "grey"  // no callback
)

// Arrow is the colour of a result.
func (r *Result) Arrow() string {
	switch r.State {
	case Delivered:
		return Green
	case Failed:
		return Red
	}
	return Amber
}

func (k *compiled) result(state string, tries int) *Result {
	return &Result{Callback: k.ID, Kind: k.Kind().String(), Channel: k.Channel, Definition: k.Definition(), State: state, Attempts: tries}
}

// attemptOf is what is kept of an outcome.
func attemptOf(o *delivery.Outcome) *Attempt {
	a := &Attempt{Status: o.Status, Info: o.Info, Remedy: o.Remedy, Time: o.At.UTC().Truncate(time.Millisecond)}
	sent := &o.Attempted
	if sent.URL == "" && sent.Body == "" {
		return a
	}
	a.Sent = &Sent{Method: sent.Method, URL: sent.URL, ContentType: sent.ContentType, Body: sent.Body}
	for _, h := range sent.Headers {
		a.Sent.Headers = append(a.Sent.Headers, Header(h))
	}
	return a
}
