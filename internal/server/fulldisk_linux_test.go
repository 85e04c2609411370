package server

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/thingwire/thingwire/internal/broker"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// A whole server on a file system of 64 MB that becomes full: what would have to be kept is refused, what needs no disk
// goes on, /readyz says degraded; and when somebody makes room all is well again without a restart. It runs in a child
// that may mount a file system for itself; where the system does not let it, the store's own test has to do.
func TestServerOnAFullDisk(t *testing.T) {
	const variable = "THINGWIRE_TEST_TMPFS"
	if dir := os.Getenv(variable); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
			t.Log("no tmpfs: ", err)
			return
		}
		fillAndFree(t, dir)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServerOnAFullDisk$", "-test.v")
	child.Env = append(os.Environ(), variable+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := child.CombinedOutput()
	t.Logf("%s", out)
	if _, ran := errors.AsType[*exec.ExitError](err); ran {
		t.Fatal(err)
	}
}

func fillAndFree(t *testing.T, dir string) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 30<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := quiet(t)
	cfg.DataDir = filepath.Join(dir, "data")
	s, _ := begin(t, cfg)
	b := s.rooms.broker
	by := broker.NewCaller("anonymous", "p", policy.AllowAll(), &policy.Connection{ClientID: "p", HasClientID: true})
	publish := func(n int, retain bool) error {
		done := make(chan struct{})
		p := &broker.Batch{Done: func(*broker.Batch) { close(done) }}
		m := p.Add()
		m.Topic, m.Payload, m.QoS, m.Retain = fmt.Sprint("t/", n), make([]byte, 100_000), 1, retain
		if !b.Publish(by, p) {
			<-done
		}
		return p.Results[0]
	}
	n := 0
	for ; publish(n, true) == nil; n++ {
	}
	if err := publish(n, true); !fault.Is(err, fault.Unavailable) {
		t.Errorf("refused with %v", err)
	}
	if word, ready := s.rooms.readiness(); word != "degraded" || ready || n == 0 || s.rooms.degraded() != 1 {
		t.Errorf("after %d messages it is %s", n, word)
	}
	if err := publish(n, false); err != nil {
		t.Errorf("what needs no disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for publish(n, true) != nil {
	}
	if word, ready := s.rooms.readiness(); word != "ready" || !ready || s.rooms.degraded() != 0 {
		t.Errorf("with room again it is %s", word)
	}
	for i := range n + 1 {
		if _, err := s.rooms.store.Get(t.Context(), "retained", fmt.Sprint("t/", i)); err != nil {
			t.Error(err)
		}
	}
}
