package backend

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigfox/payload"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Listed is a message as the list shows it: with what became of its callbacks and its downlink.
type Listed struct {
	Message
	Arrow    string          `json:"arrow"` // of all callbacks: red if one failed, else amber if one is not through, else green
	Results  []ListedResult  `json:"results"`
	Downlink *ListedDownlink `json:"downlink,omitempty"`
	Decoded  []Decoded       `json:"decoded,omitempty"` // by the device type's own configuration
	Hints    []string        `json:"hints,omitempty"`   // why a value may be missing
}

// ListedResult is the result of a callback with its arrow.
type ListedResult struct {
	Result
	Arrow string `json:"arrow"`
}

// ListedDownlink is a downlink with its arrow.
type ListedDownlink struct {
	Downlink
	Arrow string `json:"arrow"`
}

// Decoded is one value of the display.
type Decoded struct {
	Name  string `json:"name"`
	Value string `json:"value"` // null when it is missing
}

// MessageQuery says which messages are asked for.
type MessageQuery struct {
	Since, Before time.Time // of the message; zero does not narrow
	Offset        int       // how many that match are left out
}

// Messages lists messages of a device, the newest first.
func (b *Backend) Messages(ctx context.Context, device string, q MessageQuery, p Page) (all []Listed, next string, err error) {
	d, _, err := b.loadDevice(ctx, device)
	if err != nil {
		return nil, "", err
	}
	prefix, after, last := deviceKey(d.ID)+"/", "", ""
	if p.After != "" {
		after = prefix + p.After
	}
	var found []Message
	for doc, err := range b.cfg.Store.List(ctx, messagesBucket, prefix, after, 0) {
		if err != nil {
			return nil, "", err
		}
		m, err := documents.Decode[Message](messagesBucket, doc)
		if err != nil {
			return nil, "", err
		}
		switch {
		case !q.Since.IsZero() && m.Time.Before(q.Since), !q.Before.IsZero() && !m.Time.Before(q.Before):
			continue
		case q.Offset > 0:
			q.Offset--
			continue
		}
		if len(found) == p.limit() {
			next = last
			break
		}
		found, last = append(found, *m), doc.Key[len(prefix):]
	}
	for i := range found {
		one, err := b.listed(ctx, &found[i])
		if err != nil {
			return nil, "", err
		}
		all = append(all, *one)
	}
	return all, next, nil
}

// Show gives one message as the list shows it.
func (b *Backend) Show(ctx context.Context, device string, n uint64) (*Listed, error) {
	m, err := b.Message(ctx, device, n)
	if err != nil {
		return nil, err
	}
	return b.listed(ctx, m)
}

func (b *Backend) listed(ctx context.Context, m *Message) (*Listed, error) {
	l := &Listed{Message: *m, Results: []ListedResult{}}
	results, _, err := list[Result](ctx, b, resultsBucket, m.key()+"/", Page{Limit: 1 << 20})
	if err != nil {
		return nil, err
	}
	t, err := b.known.deviceType(ctx, m.DeviceType)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	l.results(results, t)
	d, _, err := b.downlink(ctx, m.key())
	switch {
	case err == nil:
		l.Downlink = &ListedDownlink{Downlink: *d, Arrow: d.Arrow()}
	case !fault.Is(err, fault.NotFound):
		return nil, err
	}
	if t != nil {
		l.explain(t)
	}
	return l, nil
}

// results are those that are there, and one for each callback that has none yet.
func (l *Listed) results(there []Result, t *knownType) {
	for _, id := range l.Callbacks {
		if !slices.ContainsFunc(there, func(r Result) bool { return r.Callback == id }) {
			r := Result{Callback: id, State: Retrying}
			if t != nil {
				if c := t.callback(id); c != nil {
					r = *c.result(Retrying, 0)
				}
			}
			there = append(there, r)
		}
	}
	slices.SortStableFunc(there, func(a, b Result) int { return l.place(a.Callback) - l.place(b.Callback) })
	l.Arrow = Grey
	for _, r := range there {
		arrow := r.Arrow()
		l.Results = append(l.Results, ListedResult{r, arrow})
		if severity[arrow] > severity[l.Arrow] {
			l.Arrow = arrow
		}
	}
}

// place is where a callback stands: those that the message fired in their order, then those that followed.
func (l *Listed) place(callback string) int {
	if i := slices.Index(l.Callbacks, callback); i >= 0 {
		return i
	}
	return len(l.Callbacks)
}

var severity = map[string]int{Green: 1, Amber: 2, Red: 3}

// explain decodes for display, and says what the callbacks will miss.
func (l *Listed) explain(t *knownType) {
	if l.OOB != nil {
		return
	}
	data := l.Bytes()
	for _, v := range t.display.Decode(data) {
		l.Decoded = append(l.Decoded, Decoded{v.Name, v.Text})
	}
	l.hint(t.display, data)
	for _, id := range l.Callbacks {
		if c := t.callback(id); c != nil {
			l.hint(c.config, data)
		}
	}
}

func (l *Listed) hint(c payload.Config, data []byte) {
	for _, h := range c.Explain(data) {
		if !slices.Contains(l.Hints, h) {
			l.Hints = append(l.Hints, h)
		}
	}
}

// Text is the decoded values in a line.
func (l *Listed) Text() string {
	parts := make([]string, len(l.Decoded))
	for i, d := range l.Decoded {
		parts[i] = d.Name + "=" + d.Value
	}
	return strings.Join(parts, " ")
}
