package awsapi_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
)

// A line of the log has what finds the request again, and nothing that opens a door or fills a disk.
func TestLogRefusal(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/mqtt/"+strings.Repeat("a", 5000)+"?X-Amz-Security-Token=secret&X-Amz-Signature=mark", nil)
	awsapi.LogRefusal(log, r, "id-1", "NotFound", "GetThing", fault.New(fault.NotFound, "nothing there").WithRemedy("look elsewhere"))
	line := out.String()
	for _, want := range []string{
		"level=INFO", "request=id-1", "from=192.0.2.1:1234", "method=GET", "path=/mqtt/aaa", "operation=GetThing", "error=NotFound",
		`err="nothing there; look elsewhere"`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	if strings.Contains(line, "secret") || strings.Contains(line, "mark") || len(line) > 600 {
		t.Errorf("too much: %s", line)
	}
	out.Reset()
	awsapi.LogRefusal(log, r, "id-2", "", "", errors.New("disk broke"))
	if line := out.String(); !strings.Contains(line, "level=ERROR") || strings.Contains(line, "operation=") || strings.Contains(line, "error=") {
		t.Error(line)
	}
}
