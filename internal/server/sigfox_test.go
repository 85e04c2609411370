package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigfox/backend"
)

// crossAccount makes the role of the seed's stack by hand: it trusts the Sigfox cloud with an external id, and may publish
// to sigfox.
func crossAccount(t *testing.T, s *Server, externalID string) string {
	t.Helper()
	keys := s.rooms.guard.Keys()
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::` + DefaultSigfoxAccount +
		`:root"},"Condition":{"StringEquals":{"sts:ExternalId":"` + externalID + `"}}}}`
	role, err := keys.CreateRole(t.Context(), iam.NewRole{Name: "cross", Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	document := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:us-east-1:000000000000:topic/sigfox"}}`
	if err := keys.PutRolePolicy(t.Context(), "cross", "p", document); err != nil {
		t.Fatal(err)
	}
	return role.ARN
}

// sigfoxWorld is a server with one device type, device 4D3091 and an AWS IoT callback of the seed.
type sigfoxWorld struct {
	*testing.T
	s     *Server
	admin *Client
	kind  SigfoxDeviceType
}

func newSigfoxWorld(t *testing.T, change func(*Config)) *sigfoxWorld {
	t.Helper()
	cfg := quiet(t)
	cfg.Listen.API = "127.0.0.1:0"
	cfg.Sigfox.Speed = 1000
	if change != nil {
		change(&cfg)
	}
	w := &sigfoxWorld{T: t}
	w.s, w.admin = begin(t, cfg)
	w.call(http.MethodPost, SigfoxPath("device-types"), map[string]any{"name": "seed", "payloadType": 3, "payloadConfig": "temp::float:32"}, &w.kind)
	w.call(http.MethodPost, SigfoxPath("devices"), map[string]any{"id": "4D3091", "deviceTypeId": "seed"}, nil)
	return w
}

func (w *sigfoxWorld) call(method, path string, in, out any) {
	w.Helper()
	if err := w.admin.Do(w.Context(), Call{Method: method, Path: path, In: in, Out: out}); err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
}

// callback saves the seed's callback with a role that trusts it, after change.
func (w *sigfoxWorld) callback(change func(c *backend.Callback)) SigfoxCallback {
	w.Helper()
	var draft SigfoxDraft
	w.call(http.MethodPost, SigfoxPath("device-types", "seed", "drafts"), nil, &draft)
	c := newSigfoxCallback{Draft: draft.ID, Callback: backend.Callback{
		Channel: backend.ChannelAWS, Subtype: 2, Enabled: true, PayloadConfig: "temp::float:32", Region: "us-east-1", Topic: "sigfox",
		Body: `{"device":"{device}","temperature":{customData#temp}}`, RoleARN: crossAccount(w.T, w.s, draft.ExternalID),
	}}
	if change != nil {
		change(&c.Callback)
	}
	var saved SigfoxCallback
	w.call(http.MethodPost, SigfoxPath("device-types", "seed", "callbacks"), c, &saved)
	if saved.ExternalID != draft.ExternalID {
		w.Errorf("the external id is %q, not that of the draft, %q", saved.ExternalID, draft.ExternalID)
	}
	return saved
}

func (w *sigfoxWorld) uplink(data string) *SigfoxUplinked {
	w.Helper()
	m, err := w.admin.SendSigfoxUplink(w.Context(), "4d3091", &SigfoxUplink{Data: data})
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// settled is the newest message once its arrow is of a colour that stays.
func (w *sigfoxWorld) settled() *SigfoxMessage {
	w.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		all, err := w.admin.SigfoxMessages(w.Context(), "4D3091", 1)
		if err != nil {
			w.Fatal(err)
		}
		if all[0].Arrow != backend.Amber {
			return &all[0]
		}
	}
	return nil
}

// The seed, from the frame to the subscriber, over real HTTPS to this server's own STS and data plane.
func TestSigfoxPublishesThroughARole(t *testing.T) {
	w := newSigfoxWorld(t, nil)
	w.callback(nil)
	stream, err := w.admin.Stream(t.Context(), "/_thingwire/v1/subscribe?filter=sigfox")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if m := w.uplink("41C8CCCD"); m.Seq != 0 || m.Data != "41c8cccd" {
		t.Errorf("%+v", m)
	}
	line, err := bufio.NewReader(stream).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var m LiveMessage
	if err := json.Unmarshal(line, &m); err != nil || m.Payload != `{"device":"4D3091","temperature":25.1}` || m.Topic != "sigfox" {
		t.Errorf("%s, %v", line, err)
	}
	l := w.settled()
	if l.Arrow != backend.Green || l.Results[0].Latest.Status != http.StatusOK || l.Text() != "temp=25.1" {
		t.Errorf("%+v", l)
	}
}

// Every region is this server, so that a callback of another one works here and would not at AWS: that is said at save.
func TestSigfoxRegionThatIsNotOurs(t *testing.T) {
	for endpoint, want := range map[string]int{SigfoxOwn: 1, SigfoxAWS: 0} {
		w := newSigfoxWorld(t, func(c *Config) { c.Sigfox.Endpoint, c.Sigfox.Key = endpoint, SigfoxKey{ID: "AKIA", Secret: "s"} })
		if saved := w.callback(func(c *backend.Callback) { c.Region = "eu-west-1" }); len(saved.Hints) != want {
			t.Errorf("endpoint %s: %q", endpoint, saved.Hints)
		}
	}
}

// Each way to fail has its words on the message, and is tried four times.
func TestSigfoxFailures(t *testing.T) {
	for name, row := range map[string]struct {
		change func(c *backend.Callback)
		status int
		info   string
	}{
		"no such role":  {func(c *backend.Callback) { c.RoleARN += "x" }, 403, "AccessDenied: sts:AssumeRole arn:aws:iam::000000000000:role/crossx"},
		"another topic": {func(c *backend.Callback) { c.Topic = "other" }, 403, "UnauthorizedException: iot:Publish "},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSigfoxWorld(t, nil)
			w.callback(row.change)
			w.uplink("41C8CCCD")
			l := w.settled()
			r := l.Results[0]
			if l.Arrow != backend.Red || r.Attempts != 4 || r.Latest.Status != row.status || !strings.HasPrefix(r.Latest.Info, row.info) || r.Latest.Remedy == "" {
				t.Errorf("%+v %+v", r, r.Latest)
			}
			lost, err := SigfoxList[SigfoxUndelivered](t.Context(), w.admin, SigfoxPath("devices", "4D3091", "undelivered"), nil)
			if err != nil || len(lost) != 1 || lost[0].Latest.Info != r.Latest.Info {
				t.Errorf("%+v, %v", lost, err)
			}
		})
	}
}

// A downlink that is published for a device answers its next request, and its fate is published too.
func TestSigfoxDownlinkFromATopic(t *testing.T) {
	w := newSigfoxWorld(t, nil)
	w.call(http.MethodPatch, SigfoxPath("device-types", "seed"), map[string]any{"downlinkMode": backend.DownlinkCallback}, nil)
	stream, err := w.admin.Stream(t.Context(), "/_thingwire/v1/subscribe?filter=sigfox/downlink/%23")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	in := bufio.NewReader(stream)
	next := func(topic string) (m LiveMessage) {
		t.Helper()
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &m); err != nil || m.Topic != topic {
			t.Fatalf("got %s, want a message on %s", line, topic)
		}
		return m
	}
	w.call(http.MethodPost, "/topics/sigfox%2Fdownlink%2F4D3091?qos=1", map[string]string{"downlinkData": "0011223344556677"}, nil)
	next("sigfox/downlink/4D3091")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		var d SigfoxDevice
		w.call(http.MethodGet, SigfoxPath("devices", "4D3091"), nil, &d)
		if d.Queued != nil {
			break
		}
	}
	m, err := w.admin.SendSigfoxUplink(t.Context(), "4D3091", &SigfoxUplink{Data: "01", Ack: true, Await: true})
	if err != nil || m.Downlink != "0011223344556677" {
		t.Errorf("%+v, %v", m, err)
	}
	var ack backend.Acknowledgement
	if err := json.Unmarshal([]byte(next("sigfox/downlink/4D3091/ack").Payload), &ack); err != nil || !ack.Ack || ack.Data != "0011223344556677" {
		t.Errorf("%+v, %v", ack, err)
	}
}

// A downlink for a device that the backend does not know is nobody's failure where a receiving endpoint answers with it;
// published without RETAIN, it would be lost without a word.
func TestSigfoxDownlinkForAReceiver(t *testing.T) {
	w := newSigfoxWorld(t, nil)
	w.call(http.MethodPost, SigfoxPath("receivers"), map[string]any{"name": "field", "topic": "up", "callback": "BIDIR", "downlink": "topic"}, nil)
	body := map[string]string{"downlinkData": "0011223344556677"}
	w.call(http.MethodPost, "/topics/sigfox%2Fdownlink%2FABC?qos=1&retain=true", body, nil)
	w.call(http.MethodPost, "/topics/sigfox%2Fdownlink%2FDEF?qos=1", body, nil)
	since := time.Now().Add(-time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	err := w.s.rooms.journal.Follow(ctx, journal.Query{ClientID: "DEF", Since: since}, func(e journal.Entry) error {
		if want := "device DEF is one of receiving endpoints alone, and those answer with retained messages"; e.Cause != want {
			t.Errorf("%q, want %q", e.Cause, want)
		}
		stop()
		return nil
	})
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	if told := w.s.rooms.journal.Query(journal.Query{ClientID: "ABC", Since: since}); len(told) > 0 {
		t.Errorf("%+v", told)
	}
}

func TestSigfoxAPIRefuses(t *testing.T) {
	w := newSigfoxWorld(t, nil)
	for _, row := range []struct {
		call Call
		kind fault.Kind
	}{
		{Call{Method: http.MethodGet, Path: SigfoxPath("device-types", "none")}, fault.NotFound},
		{Call{Method: http.MethodPost, Path: SigfoxPath("device-types"), In: map[string]any{"name": "seed"}}, fault.Exists},
		{Call{Method: http.MethodPost, Path: SigfoxPath("device-types"), In: map[string]any{"name": "x", "colour": "red"}}, fault.Invalid},
		{Call{Method: http.MethodPost, Path: SigfoxPath("device-types"), In: []int{}}, fault.Invalid},
		{Call{Method: http.MethodDelete, Path: SigfoxPath("device-types", "seed")}, fault.InUse},
		{Call{Method: http.MethodPost, Path: SigfoxPath("devices", "4D3091", "uplinks"), In: map[string]any{"data": "123"}}, fault.Invalid},
		{Call{Method: http.MethodPost, Path: SigfoxPath("devices", "1", "uplinks"), In: map[string]any{"data": "12"}}, fault.NotFound},
		{Call{Method: http.MethodGet, Path: SigfoxPath("devices", "4D3091", "messages") + "?maxResults=0"}, fault.Invalid},
		{Call{Method: http.MethodGet, Path: SigfoxPath("devices", "4D3091", "messages", "x")}, fault.Invalid},
		{Call{Method: http.MethodPut, Path: SigfoxPath("devices", "4D3091", "downlink"), In: map[string]any{"data": "0011223344556677", "expires": -1}}, fault.Invalid},
		{Call{Method: http.MethodGet, Path: SigfoxPath("nothing")}, fault.Unsupported},
	} {
		if err := w.admin.Do(t.Context(), row.call); !fault.Is(err, row.kind) {
			t.Errorf("%s %s: %v, want kind %s", row.call.Method, row.call.Path, err, row.kind)
		}
	}
}
