package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// quiet is a configuration whose only listener is on a free port of this machine.
func quiet(t testing.TB) Config {
	t.Helper()
	cfg := Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.Listen = Listeners{MQTTS: "127.0.0.1:0", HTTPS: Off, API: Off, Shared: Off, Console: Off, MQTT: Off, Metrics: Off}
	return cfg
}

// begin starts a server and a client of its admin socket, and closes both with the test.
func begin(t testing.TB, cfg Config) (*Server, *Client) {
	t.Helper()
	s, err := New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	admin := NewAdmin(cfg.DataDir)
	t.Cleanup(func() {
		admin.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s, admin
}

func TestServerLivesOnItsDataDirectory(t *testing.T) {
	cfg := quiet(t)
	s, admin := begin(t, cfg)
	if err := s.Start(); err != nil {
		t.Error("a second start:", err)
	}
	e, err := ReadEndpoints(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"mqtts": s.Addr("mqtts")}, e.Addresses); diff != "" || e.PID != os.Getpid() || e.Started.IsZero() {
		t.Error(diff, e)
	}
	if got := s.Config(); got.Account != DefaultAccount || got.Region != DefaultRegion {
		t.Error(got)
	}
	if _, err := New(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), cfg.DataDir) {
		t.Errorf("a second server on the same data: %v", err)
	}
	if things, err := admin.Things(t.Context()); err != nil || len(things) != 0 {
		t.Error(things, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{endpointsFile, adminSocket} {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, name)); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", name, err)
		}
	}
	if _, err := admin.Things(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "thingwire serve") {
		t.Errorf("a closed server answers: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error("closed twice:", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s, err := New(t.Context(), quiet(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestStartThatFailsLeavesNothingOpen(t *testing.T) {
	first, _ := begin(t, quiet(t))
	cfg := quiet(t)
	cfg.Listen.HTTPS = first.Addr("mqtts") // taken, and opened after mqtts
	s, err := New(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "--listen-https") {
		t.Error(err)
	}
	if _, err := ReadEndpoints(cfg.DataDir); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	cfg.Listen.HTTPS = Off
	begin(t, cfg) // the lock is free again
}

func TestSharedListenerIsLeftOutWithAWarning(t *testing.T) {
	first, _ := begin(t, quiet(t))
	cfg := quiet(t)
	cfg.Listen.Shared = first.Addr("mqtts")
	var log bytes.Buffer
	s, err := New(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if s.Addr("shared") != "" || !strings.Contains(log.String(), "the shared listener is not open") {
		t.Errorf("%q, %s", s.Addr("shared"), log.String())
	}
}

func TestProvisionAndRemove(t *testing.T) {
	_, admin := begin(t, quiet(t))
	ctx := t.Context()
	for _, name := range []string{"lamp", "shelf:3"} {
		made, err := admin.Provision(ctx, NewThing{Name: name, Policy: PolicyThingScoped})
		if err != nil {
			t.Fatal(err)
		}
		if made.PolicyName != strings.ReplaceAll(name, ":", ".") || len(made.CertificateID) != 64 {
			t.Errorf("%+v", made)
		}
		for _, pem := range []string{made.CertificatePEM, made.PrivateKeyPEM, made.RootPEM} {
			if !strings.HasPrefix(pem, "-----BEGIN ") {
				t.Error(pem)
			}
		}
		if _, err := admin.Provision(ctx, NewThing{Name: name, Policy: PolicyThingScoped}); !fault.Is(err, fault.Exists) {
			t.Errorf("a second %s: %v", name, err)
		}
	}
	if things, err := admin.Things(ctx); err != nil || len(things) != 2 || things[0].Name != "lamp" {
		t.Error(things, err)
	}
	for _, bad := range []NewThing{
		{Name: "no spaces", Policy: PolicyThingScoped}, {Name: "x", Document: "{"}, {Name: "x", Policy: "no-such-policy"},
	} {
		if _, err := admin.Provision(ctx, bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
	for _, name := range []string{"lamp", "shelf:3"} {
		if err := admin.Remove(ctx, name); err != nil {
			t.Error(err)
		}
		if err := admin.Remove(ctx, name); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
	for path, member := range map[string]string{"/things": "things", "/certificates": "certificates", "/policies": "policies"} {
		left, err := pages[json.RawMessage](ctx, admin, Call{Method: http.MethodGet, Path: path}, member, "pageSize", "marker")
		if err != nil || len(left) != 0 {
			t.Errorf("%s: %s %v", path, left, err)
		}
	}
}

// What others use stays: a certificate that two things share, and a policy that somebody else holds.
func TestRemoveLeavesWhatOthersUse(t *testing.T) {
	_, admin := begin(t, quiet(t))
	ctx := t.Context()
	lamp, err := admin.Provision(ctx, NewThing{Name: "lamp", Policy: PolicyAllowEverything})
	if err != nil {
		t.Fatal(err)
	}
	bulb, err := admin.Provision(ctx, NewThing{Name: "bulb", Policy: PolicyAllowEverything})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []Call{
		{Method: http.MethodPut, Path: "/things/bulb/principals", Principal: lamp.CertificateARN},
		{Method: http.MethodPut, Path: "/target-policies/lamp", In: map[string]string{"target": bulb.CertificateARN}},
		{Method: http.MethodPost, Path: "/things/plain", In: struct{}{}},
		{Method: http.MethodPost, Path: "/policies/plain", In: map[string]string{"policyDocument": policy.AllowEverything(DefaultAccount, DefaultRegion)}},
	} {
		if err := admin.Do(ctx, call); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"lamp", "plain"} {
		if err := admin.Remove(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	var certificate struct{ CertificateDescription struct{ Status string } }
	if err := admin.Do(ctx, Call{Method: http.MethodGet, Path: "/certificates/" + lamp.CertificateID, Out: &certificate}); err != nil || certificate.CertificateDescription.Status != "ACTIVE" {
		t.Error(certificate, err)
	}
	for _, name := range []string{"lamp", "plain"} {
		if err := admin.Do(ctx, Call{Method: http.MethodGet, Path: "/policies/" + name}); err != nil {
			t.Errorf("policy %s: %v", name, err)
		}
	}
}

func TestThingsComeInPages(t *testing.T) {
	_, admin := begin(t, quiet(t))
	const many = 260 // a page has 250 at most
	for i := range many {
		name := "thing-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		if err := admin.Do(t.Context(), Call{Method: http.MethodPost, Path: "/things/" + name, In: struct{}{}}); err != nil {
			t.Fatal(err)
		}
	}
	if things, err := admin.Things(t.Context()); err != nil || len(things) != many {
		t.Error(len(things), err)
	}
}

func TestPrivateAPI(t *testing.T) {
	_, admin := begin(t, quiet(t))
	for path, kind := range map[string]fault.Kind{
		"/_thingwire/v1/fly":                        fault.Unsupported,
		"/_thingwire/v1/policies/none":              fault.NotFound,
		"/_thingwire/v1/subscribe":                  fault.Invalid,
		"/_thingwire/v1/subscribe?filter=a&qos=2":   fault.Invalid,
		"/_thingwire/v1/subscribe?filter=a%2F%23b":  fault.Invalid,
		"/_thingwire/v1/subscribe?filter=a&filter=": fault.Invalid,
		"/no/such/operation":                        fault.Unsupported,
	} {
		if err := admin.Do(t.Context(), Call{Method: http.MethodGet, Path: path}); !fault.Is(err, kind) {
			t.Errorf("%s: %v, %v", path, fault.KindOf(err), err)
		}
	}
	for _, name := range []string{PolicyAllowEverything, PolicyThingScoped} {
		text, err := admin.builtin(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := policy.Parse([]byte(text), policy.IoT); err != nil {
			t.Error(err)
		}
	}
}

func TestLiveStreamShowsProperties(t *testing.T) {
	s, admin := begin(t, quiet(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stream, err := admin.Stream(ctx, "/_thingwire/v1/subscribe?filter=live%2F%2B")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	done := make(chan struct{})
	batch := &broker.Batch{Messages: make([]broker.Message, 2), Done: func(*broker.Batch) { close(done) }}
	m := &batch.Messages[0]
	m.Topic, m.Payload, m.QoS, m.Expiry = "live/all", []byte{0, 0xff}, 1, 60
	m.Props = &broker.Properties{
		HasPayloadFormat: true, PayloadFormat: 0, ContentType: "application/cbor", ResponseTopic: "r", CorrelationData: []byte{1},
		User: []broker.UserProperty{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}},
	}
	batch.Messages[1].Topic, batch.Messages[1].Payload = "live/text", []byte("°C")
	if !s.rooms.broker.Publish(broker.NewCaller("test", "", policy.AllowAll(), nil), batch) {
		<-done
	}
	in := bufio.NewReader(stream)
	var got [2]LiveMessage
	for i := range got {
		line, err := in.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &got[i]); err != nil {
			t.Fatal(err)
		}
		if got[i].Timestamp == 0 {
			t.Error("no timestamp")
		}
		got[i].Timestamp = 0
	}
	left, format := uint32(60), byte(0)
	want := [2]LiveMessage{{
		Topic: "live/all", Payload: "AP8=", Encoding: "base64", QoS: 1, PayloadFormat: &format, MessageExpiry: &left,
		ContentType: "application/cbor", ResponseTopic: "r", CorrelationData: []byte{1},
		UserProperties: []LiveUserProperty{{"a", "1"}, {"a", "2"}},
	}, {Topic: "live/text", Payload: "°C"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if payload, err := got[0].Bytes(); err != nil || !bytes.Equal(payload, []byte{0, 0xff}) {
		t.Error(payload, err)
	}
}
