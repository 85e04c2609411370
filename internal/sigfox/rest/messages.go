package rest

import (
	"net/http"
	"time"

	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// message is a message as the API shows it.
type message struct {
	Device           named      `json:"device"`
	Time             int64      `json:"time"`
	Data             string     `json:"data"`
	OOB              *bool      `json:"oob,omitempty"`
	AckRequired      *bool      `json:"ackRequired,omitempty"`
	LQI              int        `json:"lqi"`
	SeqNumber        int        `json:"seqNumber"`
	NbFrames         int        `json:"nbFrames"`
	ComputedLocation []location `json:"computedLocation,omitempty"`
	RInfos           []rinfo    `json:"rinfos"`
	Answer           *answered  `json:"downlinkAnswerStatus,omitempty"`
}

type location struct {
	Lat    float64 `json:"lat"`
	Lng    float64 `json:"lng"`
	Radius int     `json:"radius"`
	Source int     `json:"source"`
}

// rinfo is one reception. Callbacks stand under the first.
type rinfo struct {
	BaseStation *named     `json:"baseStation,omitempty"`
	RSSI        *float64   `json:"rssi,omitempty"`
	SNR         *float64   `json:"snr,omitempty"`
	Rep         *int       `json:"rep,omitempty"`
	CbStatus    []cbStatus `json:"cbStatus,omitempty"`
}

// cbStatus is one attempt of a callback: of each the first and the latest.
type cbStatus struct {
	Status int    `json:"status"`
	Info   string `json:"info"`
	CbDef  string `json:"cbDef"`
	Time   int64  `json:"time"`
}

// answered is the downlink of a message.
type answered struct {
	Data string `json:"data,omitempty"`
}

var messageFields = fields{
	"oob": {}, "ackRequired": {}, "device": of("name"), "downlinkAnswerStatus": {"baseStation": of("name")},
	"rinfos": {"cbStatus": {}, "rep": {}, "repetitions": {}, "baseStation": of("name")},
}

// nbFrames is on how many frequencies a message is sent.
const nbFrames = 3

func showMessage(m *backend.Listed, name string, f fields) *message {
	out := &message{
		Device: named{ID: m.Device}, Time: millis(m.Time), Data: m.Data, LQI: m.LQI(), SeqNumber: m.Seq, NbFrames: nbFrames, RInfos: receptions(m, f),
	}
	if f.has("device", "name") {
		out.Device.Name = name
	}
	if f.has("oob") {
		oob := m.OOB != nil
		out.OOB = &oob
	}
	if f.has("ackRequired") {
		out.AckRequired = &m.Ack
	}
	if l := m.Location; l != nil {
		out.ComputedLocation = []location{{l.Lat, l.Lng, l.Radius, l.Source}}
	}
	if d := m.Downlink; d != nil && f.has("downlinkAnswerStatus") {
		out.Answer = &answered{Data: d.Data}
	}
	return out
}

func receptions(m *backend.Listed, f fields) []rinfo {
	all := []rinfo{}
	for _, r := range m.Receptions {
		one := rinfo{BaseStation: &named{ID: r.Station}, RSSI: &r.RSSI, SNR: &r.SNR}
		if f.has("rinfos", "rep") {
			one.Rep = &r.Repeats
		}
		all = append(all, one)
	}
	if len(all) == 0 && (m.Station != "" || m.RSSI != nil || m.SNR != nil || f.has("rinfos", "cbStatus")) {
		one := rinfo{RSSI: m.RSSI, SNR: m.SNR}
		if m.Station != "" {
			one.BaseStation = &named{ID: m.Station}
		}
		all = append(all, one)
	}
	if f.has("rinfos", "cbStatus") {
		all[0].CbStatus = statusesOf(m)
	}
	return all
}

func statusesOf(m *backend.Listed) (all []cbStatus) {
	for i := range m.Results {
		r := &m.Results[i]
		for _, a := range []*backend.Attempt{r.First, r.Latest} {
			if a != nil {
				all = append(all, cbStatus{a.Status, a.Info, r.Definition, millis(a.Time)})
			}
		}
	}
	return all
}

func listMessages(c *call) error {
	f, p, offset, err := c.query.listing(messageFields)
	if err != nil {
		return err
	}
	q := backend.MessageQuery{Offset: offset}
	if q.Since, q.Before, err = c.query.window(); err != nil {
		return err
	}
	d, err := c.Device(c.ctx(), c.path[0])
	if err != nil {
		return err
	}
	all, next, err := c.Messages(c.ctx(), d.ID, q, p)
	if err != nil {
		return err
	}
	data := make([]*message, len(all))
	for i := range all {
		data[i] = showMessage(&all[i], d.Name, f)
	}
	return list(c, data, next)
}

// listMessagesOfType lists the messages of all devices of a type.
func listMessagesOfType(c *call) error {
	f, p, offset, err := c.query.listing(messageFields)
	if err != nil {
		return err
	}
	var q backend.MessageQuery
	if q.Since, q.Before, err = c.query.window(); err != nil {
		return err
	}
	if _, err := c.DeviceType(c.ctx(), c.path[0]); err != nil {
		return err
	}
	names := map[string]string{}
	var all []*source[backend.Listed]
	for after := (backend.Page{Limit: maxSources + 1}); ; {
		devices, next, err := c.Devices(c.ctx(), c.path[0], after)
		if err != nil {
			return err
		}
		for _, d := range devices {
			names[d.ID] = d.Name
			all = append(all, &source[backend.Listed]{
				at:   func(m *backend.Listed) time.Time { return m.Time },
				read: func(p backend.Page) ([]backend.Listed, string, error) { return c.Messages(c.ctx(), d.ID, q, p) },
			})
		}
		if after.After = next; next == "" || len(all) > maxSources {
			break
		}
	}
	found, more, err := merge(all, p.Limit, offset)
	if err != nil {
		return err
	}
	data := make([]*message, len(found))
	for i := range found {
		data[i] = showMessage(&found[i], names[found[i].Device], f)
	}
	return listMerged(c, data, offset, more)
}

// countMessages counts the messages of the last day, week and month that are kept.
func countMessages(c *call) error {
	var out struct {
		Day   int `json:"lastDay"`
		Week  int `json:"lastWeek"`
		Month int `json:"lastMonth"`
	}
	const day = 24 * time.Hour
	now := time.Now()
	q, p := backend.MessageQuery{Since: now.Add(-30 * day)}, backend.Page{Limit: 1000}
	for {
		all, next, err := c.Messages(c.ctx(), c.path[0], q, p)
		if err != nil {
			return err
		}
		for i := range all {
			age := now.Sub(all[i].Time)
			out.Month++
			if age <= 7*day {
				out.Week++
			}
			if age <= day {
				out.Day++
			}
		}
		if next == "" {
			return c.answer(http.StatusOK, out)
		}
		p.After = next
	}
}
