package pebble

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The same on a real file system of 64 MB, in a child that may mount one for itself. Where the system does not let it,
// TestFullDisk has to do.
func TestFullTmpfs(t *testing.T) {
	const variable = "THINGWIRE_TEST_TMPFS"
	if dir := os.Getenv(variable); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
			t.Log("no tmpfs: ", err)
			return
		}
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 40<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		fullDisk(t, Options{Dir: filepath.Join(dir, "data"), Retry: 10 * time.Millisecond}, func() {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		})
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullTmpfs$", "-test.v")
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
