package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestDataDirIsTheFlagTheEnvironmentOrTheUsualPlace(t *testing.T) {
	here, err := filepath.Abs("here")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flag, env, home, want string }{
		{"/flag", "/env", "/home/me", "/flag"},
		{"", "/env", "/home/me", "/env"},
		{"", "", "/home/me", "/home/me/.local/share/thingwire"},
		{"here", "", "", here},
	} {
		w := &world{env: func(name string) string { return map[string]string{"THINGWIRE_DATA_DIR": c.env, "HOME": c.home}[name] }}
		if got, err := w.dataDir(c.flag); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	w := &world{env: func(string) string { return "" }}
	if _, err := w.dataDir(""); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "--data-dir") {
		t.Error(err)
	}
}

// A failure is one line whatever it is made of.
func TestErrorsAreOneLine(t *testing.T) {
	var stdout, stderr bytes.Buffer
	w := &world{
		args: []string{"demo", "--sensor", "exec:\n"}, env: func(string) string { return "" },
		stdout: &stdout, stderr: &stderr, signals: context.WithCancel,
	}
	if code := run(t.Context(), w); code != exitUsage || strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
		t.Errorf("%d: %q %q", code, stdout.String(), stderr.String())
	}
}
