package awsapi

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

// Whoever is refused without end does not fill the disk, and the log says how much it left out. What went wrong inside is
// always there.
func TestRefusalsWithoutEnd(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/topics/a", nil)
	b := newBounded()
	const tries = 20_000
	for range tries {
		b.write(log, r, "id", "", "", fault.New(fault.Denied, "no"))
	}
	if n := strings.Count(out.String(), "\n"); n < 100 || n > tries/2 {
		t.Errorf("%d of %d refusals are in the log", n, tries)
	}
	out.Reset()
	b.write(log, r, "id", "", "", errors.New("disk broke"))
	if line := out.String(); !strings.Contains(line, "disk broke") || !strings.Contains(line, "left_out_before=") {
		t.Error(line)
	}
}
