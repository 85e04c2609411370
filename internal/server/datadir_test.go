package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestDataDirIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := makeDataDir(dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info.Mode(), err)
	}
	if err := makeDataDir(dir); err != nil {
		t.Error("a second start:", err)
	}
	for _, mode := range []os.FileMode{0o750, 0o701, 0o755, 0o720} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := makeDataDir(dir); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "chmod 700 "+dir) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := makeDataDir(file); !fault.Is(err, fault.Invalid) {
		t.Error("a file:", err)
	}
	if err := makeDataDir(filepath.Join(file, "below")); !fault.Is(err, fault.Invalid) {
		t.Error("below a file:", err)
	}
}

func TestAccountAndRegionAreFixedAtTheFirstStart(t *testing.T) {
	dir := t.TempDir()
	first := Config{DataDir: dir, Account: "123456789012"}
	if err := fixInstance(&first, time.Now()); err != nil {
		t.Fatal(err)
	}
	if first.Account != "123456789012" || first.Region != DefaultRegion {
		t.Error(first)
	}
	info, err := os.Stat(filepath.Join(dir, instanceFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Error(left, err)
	}
	later := Config{DataDir: dir}
	if err := fixInstance(&later, time.Now()); err != nil || !cmp.Equal(later, first) {
		t.Error(later, err)
	}
	same := first
	if err := fixInstance(&same, time.Now()); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		cfg   Config
		words string
	}{
		{Config{DataDir: dir, Account: "000000000000"}, "belongs to account 123456789012, not 000000000000"},
		{Config{DataDir: dir, Region: "eu-west-1"}, "leave out --region"},
	} {
		if err := fixInstance(&c.cfg, time.Now()); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), c.words) {
			t.Error(err)
		}
	}
}

func TestInstanceFileOfOthers(t *testing.T) {
	for text, kind := range map[string]fault.Kind{
		"":                                  fault.Invalid,
		"{}":                                fault.Invalid,
		`{"format":2}`:                      fault.Unsupported,
		`{"format":1,"account":"1` + "\x00": fault.Invalid,
	} {
		cfg := Config{DataDir: t.TempDir()}
		if err := os.WriteFile(filepath.Join(cfg.DataDir, instanceFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := fixInstance(&cfg, time.Now()); !fault.Is(err, kind) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEndpointsAreOneFlatObject(t *testing.T) {
	want := Endpoints{
		Addresses: map[string]string{"mqtts": "127.0.0.1:8883", "shared": "[::]:443"},
		PID:       42, Started: time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC),
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if text := `{"mqtts":"127.0.0.1:8883","pid":42,"shared":"[::]:443","started":"2026-11-21T22:00:00Z"}`; string(data) != text {
		t.Errorf("%s", data)
	}
	var got Endpoints
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`[]`, `{"started":"yesterday"}`, `{`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := json.Unmarshal([]byte(`{"pid":7,"later":{"x":1}}`), &got); err != nil || got.PID != 7 {
		t.Error(got, err)
	}
}

// A server that was killed leaves endpoints.json and the socket's file behind. Neither makes a verb believe in it, and
// the next server clears both away.
func TestStaleFilesCountAsAbsent(t *testing.T) {
	dir := t.TempDir()
	if err := writeJSON(filepath.Join(dir, endpointsFile), Endpoints{Addresses: map[string]string{"mqtts": "127.0.0.1:1"}, PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoints(dir); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "thingwire serve --data-dir "+dir) {
		t.Errorf("without a socket: %v", err)
	}
	l, err := listenAdmin(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := ReadEndpoints(dir); err != nil || e.Addresses["mqtts"] != "127.0.0.1:1" {
		t.Error(e, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, adminSocket)); err != nil {
		t.Fatal("the killed server's socket should still lie there:", err)
	}
	if _, err := ReadEndpoints(dir); !fault.Is(err, fault.Unavailable) {
		t.Errorf("with a dead socket: %v", err)
	}
	if err := removeStale(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
	if err := removeStale(dir); err != nil {
		t.Error("nothing to remove:", err)
	}
}

func TestEndpointsThatAreDamaged(t *testing.T) {
	dir := t.TempDir()
	l, err := listenAdmin(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := os.WriteFile(filepath.Join(dir, endpointsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEndpoints(dir); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestAdminSocketIsForItsOwnerAlone(t *testing.T) {
	for _, below := range []string{"", strings.Repeat("long/", 40)} {
		dir := filepath.Join(t.TempDir(), "data", below)
		if err := makeDataDir(dir); err != nil {
			t.Fatal(err)
		}
		l, err := listenAdmin(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, adminSocket))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
		if !answers(dir) {
			t.Error("the socket does not answer")
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
