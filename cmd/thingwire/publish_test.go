package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigv4"
)

const (
	testKeyID  = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// published is what a data plane understood of a request.
type published struct {
	URI, Properties, Format, Correlation, Body, Service, Token string
}

// dataPlane is one that verifies signatures and writes down what it is asked.
type dataPlane struct {
	t    *testing.T
	root bool // an admin socket: nothing is signed
	seen []published
}

func (d *dataPlane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := sigv4.Verifier{Lookup: func(_ context.Context, id, _ string) (string, error) {
		if id != testKeyID {
			return "", fault.New(fault.Unauthenticated, "who is %s", id)
		}
		return testSecret, nil
	}}
	var by sigv4.Credential
	if !d.root {
		var err error
		if by, err = v.Verify(r, "iotdata"); err != nil {
			d.t.Error(err)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	h := r.Header
	d.seen = append(d.seen, published{
		r.RequestURI, h.Get("x-amz-mqtt5-user-properties"), h.Get("x-amz-mqtt5-payload-format-indicator"),
		h.Get("x-amz-mqtt5-correlation-data"), string(body), by.Service, by.Token,
	})
	if strings.HasPrefix(r.RequestURI, "/topics/forbidden") {
		w.Header().Set("X-Amzn-Errortype", "ForbiddenException")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"message":"Forbidden; the policy allows topic/a alone","traceId":"t-2"}`)
		return
	}
	_, _ = io.WriteString(w, `{"message":"OK","traceId":"t-1"}`)
}

// onSocket serves it as the admin socket of a data directory.
func (d *dataPlane) onSocket() (dir string) {
	d.t.Helper()
	d.root = true
	dir = d.t.TempDir()
	l, err := new(net.ListenConfig).Listen(d.t.Context(), "unix", filepath.Join(dir, "admin.sock"))
	if err != nil {
		d.t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: d}}
	s.Start()
	d.t.Cleanup(s.Close)
	return dir
}

// elsewhere serves it over TLS and answers the environment that reaches it.
func (d *dataPlane) elsewhere() map[string]string {
	d.t.Helper()
	s := httptest.NewTLSServer(d)
	d.t.Cleanup(s.Close)
	ca := filepath.Join(d.t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_CA_BUNDLE": ca, "AWS_ACCESS_KEY_ID": testKeyID, "AWS_SECRET_ACCESS_KEY": testSecret,
		"AWS_SESSION_TOKEN": "tok/en+=", "THINGWIRE_DATA_DIR": d.t.TempDir(),
	}
}

// verbIn runs a verb in an environment.
func verbIn(t *testing.T, env map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), &world{
		args: args, env: func(name string) string { return env[name] }, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs,
		signals: context.WithCancel,
	})
	return code, out.String(), errs.String()
}

var publishEverything = []string{
	"publish", "--topic", "a/ü b+c/$x", "--message", `{"a":1}`, "--qos", "1", "--retain", "--content-type", "application/json; charset=utf-8",
	"--response-topic", "a/answer", "--correlation-data", "AAEC", "--message-expiry", "0", "--payload-format-indicator", "UTF8_DATA",
	"--user-property", "k=v=w", "--user-property", "k=", "--user-property", "ü=<&>",
}

func TestPublishEveryParameter(t *testing.T) {
	t.Parallel()
	want := published{
		URI: "/topics/a%2F%C3%BC%20b%2Bc%2F%24x?contentType=application%2Fjson%3B%20charset%3Dutf-8&messageExpiry=0&qos=1&responseTopic=a%2Fanswer&retain=true",
		Properties: base64.StdEncoding.EncodeToString([]byte(
			`[{"k":"v=w"},{"k":""},{"ü":"\u003c\u0026\u003e"}]`)),
		Format: "UTF8_DATA", Correlation: "AAEC", Body: `{"a":1}`,
	}
	socket, elsewhere := &dataPlane{t: t}, &dataPlane{t: t}
	dir, env := socket.onSocket(), elsewhere.elsewhere()
	code, out, errs := verbIn(t, nil, "", append(publishEverything, "--data-dir", dir)...)
	if code != exitDone || out != "Published to a/ü b+c/$x, trace id t-1\n" {
		t.Errorf("%d %q %q", code, out, errs)
	}
	if diff := cmp.Diff([]published{want}, socket.seen); diff != "" {
		t.Error(diff)
	}
	code, out, errs = verbIn(t, env, "", append(publishEverything, "--output", "json")...)
	if code != exitDone || !strings.Contains(out, `"traceId": "t-1"`) {
		t.Errorf("%d %q %q", code, out, errs)
	}
	want.Service, want.Token = "iotdata", "tok/en+="
	if diff := cmp.Diff([]published{want}, elsewhere.seen); diff != "" {
		t.Error(diff)
	}
}

func TestPublishPayloads(t *testing.T) {
	t.Parallel()
	d := &dataPlane{t: t}
	dir := d.onSocket()
	file := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(file, []byte("\x00file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--message", ""}, ""},
		{[]string{"--file", file}, "\x00file\n"},
		{[]string{"--file", "-"}, "in\n"},
		{nil, "in\n"},
	} {
		code, _, errs := verbIn(t, nil, "in\n", append([]string{"publish", "--topic", "t", "--data-dir", dir}, c.args...)...)
		if got := d.seen[len(d.seen)-1]; code != exitDone || got.Body != c.want || got.URI != "/topics/t?qos=0" {
			t.Errorf("%v: %d %q, sent %+v", c.args, code, errs, got)
		}
	}
}

func TestPublishRefusals(t *testing.T) {
	t.Parallel()
	d := &dataPlane{t: t}
	env := d.elsewhere()
	for _, c := range []struct {
		code  int
		words string
		args  []string
	}{
		{exitUsage, "--topic is missing", nil},
		{exitUsage, "--qos is 2", []string{"--topic", "t", "--qos", "2"}},
		{exitUsage, "two payloads", []string{"--topic", "t", "--message", "", "--file", "x"}},
		{exitUsage, "--message-expiry is -1", []string{"--topic", "t", "--message-expiry", "-1"}},
		{exitUsage, "no base64", []string{"--topic", "t", "--correlation-data", "a b"}},
		{exitUsage, "use NAME=VALUE", []string{"--topic", "t", "--user-property", "k"}},
		{exitUsage, "use NAME=VALUE", []string{"--topic", "t", "--user-property", "=v"}},
		{exitUsage, "UTF8_DATA", []string{"--topic", "t", "--payload-format-indicator", "1"}},
		{exitUsage, "use text or json", []string{"--topic", "t", "--output", "yaml"}},
		{exitFailed, "--file cannot be read", []string{"--topic", "t", "--file", "/nowhere"}},
		{exitFailed, "Forbidden; the policy allows topic/a alone", []string{"--topic", "forbidden"}},
		{exitFailed, "no server runs", []string{"--topic", "t", "--data-dir", t.TempDir()}},
	} {
		code, out, errs := verbIn(t, env, "", append([]string{"publish"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.words) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
	}
	code, _, errs := verbIn(t, env, strings.Repeat("x", 2<<20), "publish", "--topic", "t")
	if code != exitFailed || !strings.Contains(errs, "stdin has more than 1048576 bytes") {
		t.Errorf("2 MiB: %d %q", code, errs)
	}
	if len(d.seen) != 1 {
		t.Errorf("%d requests were sent, only the forbidden one should be", len(d.seen))
	}
}

// The credentials file is read as AWS's tools write it.
func TestINISection(t *testing.T) {
	t.Parallel()
	text := "\ufeff[default]\naws_access_key_id = A\n\n# [x]\n; comment = 1\n[profile x]\nregion=r\n[x]\r\nAWS_Access_Key_ID=B=C\r\naws_secret_access_key = s ; no comment\n" +
		"services =\n  nested = 1\nregion=1\nregion = 2\nno equals sign\n[ y ]\nregion = 3\n"
	for section, want := range map[string]map[string]string{
		"default": {"aws_access_key_id": "A"},
		"x":       {"aws_access_key_id": "B=C", "aws_secret_access_key": "s ; no comment", "services": "", "region": "2"},
		"y":       {"region": "3"},
		"z":       {},
	} {
		if diff := cmp.Diff(want, iniSection([]byte(text), section)); diff != "" {
			t.Errorf("%s: %s", section, diff)
		}
	}
}

// A file in another form gives no keys and no panic.
func FuzzINISection(f *testing.F) {
	f.Add([]byte("[a]\nb=c\n"))
	f.Add([]byte("\ufeff\n[\n]=\n="))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, value := range iniSection(data, "a") {
			if strings.ContainsAny(name+value, "\n") || !bytes.Contains(data, []byte(value)) {
				t.Errorf("%q=%q", name, value)
			}
		}
	})
}
