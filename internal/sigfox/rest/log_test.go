package rest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
)

// The log knows a refused request by the id that its answer has. The journal has those of nobody we know.
func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var out bytes.Buffer
	w.handler = New(Config{Backend: w.Backend, Guard: awsapi.NewGuard(w.keys), Log: slog.New(slog.NewTextHandler(&out, nil))})
	a := w.must(404, "GET", "/v2/devices/4D3091", "")
	id := a.header.Get("X-Amzn-Requestid")
	if line := out.String(); id == "" || !strings.Contains(line, "request="+id) || !strings.Contains(line, "path=/v2/devices/4D3091") {
		t.Errorf("id %q, log %q", id, line)
	}
	out.Reset()
	w.password = "another"
	w.must(401, "GET", "/v2/devices/", "")
	if out.Len() > 0 {
		t.Errorf("the log has %s", &out)
	}
}
