package server

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

// A control plane that fails at one step: whatever was made before it is taken back, last first.
func TestProvisionUndoesWhatIsHalfDone(t *testing.T) {
	detach := []string{"POST /target-policies/lamp"}
	certificate := []string{"PUT /certificates/c1?newStatus=INACTIVE", "DELETE /certificates/c1"}
	thing, document := []string{"DELETE /things/lamp"}, []string{"DELETE /policies/lamp"}
	for _, c := range []struct {
		fails string
		undo  [][]string
	}{
		{"GET /_thingwire/v1/policies/thing-scoped", nil},
		{"GET /things/lamp", nil},
		{"POST /policies/lamp", nil},
		{"POST /things/lamp", [][]string{document}},
		{"POST /keys-and-certificate?setAsActive=true", [][]string{thing, document}},
		{"PUT /target-policies/lamp", [][]string{certificate, thing, document}},
		{"PUT /things/lamp/principals", [][]string{detach, certificate, thing, document}},
	} {
		t.Run(strings.ReplaceAll(c.fails, "/", "_"), func(t *testing.T) {
			plane := servePlane(t, c.fails)
			admin := NewAdmin(plane.dir)
			defer admin.Close()
			_, err := admin.Provision(t.Context(), NewThing{Name: "lamp", Policy: PolicyThingScoped})
			if !fault.Is(err, fault.Throttled) || !strings.Contains(err.Error(), "not now") {
				t.Errorf("failed with %v", err)
			}
			var want []string
			for _, calls := range c.undo {
				want = append(want, calls...)
			}
			if diff := cmp.Diff(want, plane.after(c.fails)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// When undoing fails too, both are said.
func TestProvisionSaysWhatItCouldNotUndo(t *testing.T) {
	plane := servePlane(t, "POST /things/lamp", "DELETE /policies/lamp")
	admin := NewAdmin(plane.dir)
	defer admin.Close()
	_, err := admin.Provision(t.Context(), NewThing{Name: "lamp", Policy: PolicyThingScoped})
	if err == nil || !strings.Contains(err.Error(), "what was half done could not be undone") {
		t.Error(err)
	}
}

// fakePlane is a control plane that answers as ours would, and fails where it is told.
type fakePlane struct {
	dir   string
	fails []string

	mu    sync.Mutex
	calls []string
}

func servePlane(t *testing.T, fails ...string) *fakePlane {
	t.Helper()
	p := &fakePlane{dir: t.TempDir(), fails: fails}
	if err := os.WriteFile(filepath.Join(p.dir, RootCAFile), []byte("root"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listenAdmin(t.Context(), p.dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: p}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return p
}

func (p *fakePlane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := r.Method + " " + r.URL.RequestURI()
	p.calls = append(p.calls, call)
	if slices.Contains(p.fails, call) {
		w.Header().Set("x-amzn-ErrorType", "ThrottlingException")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"message":"not now"}`))
		return
	}
	switch {
	case call == "GET /things/lamp":
		w.Header().Set("x-amzn-ErrorType", "ResourceNotFoundException")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"message":"no such thing"}`))
	case strings.HasPrefix(call, "GET /_thingwire/"):
		_, _ = w.Write([]byte(`{"document":"{}"}`))
	case strings.HasPrefix(call, "POST /keys-and-certificate"):
		_, _ = w.Write([]byte(`{"certificateArn":"arn:cert/c1","certificateId":"c1","certificatePem":"c","keyPair":{"PrivateKey":"k"}}`))
	default:
		_, _ = w.Write([]byte(`{}`))
	}
}

// after are the calls behind the last one that failed as told.
func (p *fakePlane) after(fails string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var calls []string
	for _, call := range p.calls {
		if calls = append(calls, call); call == fails {
			calls = nil
		}
	}
	return calls
}
