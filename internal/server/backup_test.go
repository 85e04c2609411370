package server

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// A backup holds the same secrets as the data directory: nobody else may read it, nor what is restored from it. While it
// is made the server tells how far it is, and afterwards no checkpoint is left.
func TestBackupIsForItsOwnerAlone(t *testing.T) {
	cfg := quiet(t)
	s, _ := begin(t, cfg)
	dir := filepath.Join(t.TempDir(), "backup")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var done, total int64
	info, err := Backup(t.Context(), cfg.DataDir, dir, func(n, of int64) { done, total = n, of })
	if err != nil {
		t.Fatal(err)
	}
	if done != total || total != info.Bytes() || total == 0 {
		t.Errorf("told %d of %d, it has %d bytes", done, total, info.Bytes())
	}
	restored := filepath.Join(t.TempDir(), "data")
	if _, err := Restore(t.Context(), dir, restored, nil); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{dir, restored} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			want := fs.FileMode(0o600)
			if d.IsDir() {
				want = 0o700
			}
			if err == nil && info.Mode().Perm() != want {
				t.Errorf("%s has mode %04o", path, info.Mode().Perm())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil { // waits for the request that holds the checkpoint
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(cfg.DataDir, checkpointPrefix+"*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// A server that was killed while somebody held a checkpoint leaves it behind; the next one removes it.
func TestOldCheckpointsAreRemoved(t *testing.T) {
	cfg := quiet(t)
	old := filepath.Join(cfg.DataDir, checkpointPrefix+"1")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	begin(t, cfg)
	if _, err := os.Stat(old); err == nil {
		t.Error("it is still there")
	}
}

// Checkpoints are for those who may open the admin socket: a signed caller elsewhere could not read them.
func TestCheckpointsAreNotPartOfTheSignedAPI(t *testing.T) {
	s, _ := begin(t, quiet(t))
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, checkpointPath, http.NoBody)
	s.rooms.planes.control.serve(w, r, awsapi.Root(s.cfg.Account))
	if w.Code == http.StatusOK || !strings.Contains(w.Body.String(), "Thingwire has no POST "+checkpointPath) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Check names what is wrong, and changes nothing.
func TestCheckNamesProblems(t *testing.T) {
	cfg := quiet(t)
	s, _ := begin(t, cfg)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	disk, err := pebble.Open(pebble.Options{Dir: filepath.Join(cfg.DataDir, storeDir)})
	if err != nil {
		t.Fatal(err)
	}
	harm := &store.Batch{Docs: []store.DocOp{
		{Bucket: "session", Key: "5/c", Value: []byte("{")},
		{Bucket: "registry/things", Key: "lamp", Value: []byte("{")},
		{Bucket: "iam/users", Key: "x", Value: []byte("{")},
		{Bucket: "attic", Key: "x", Value: []byte("{}")},
	}}
	if err := disk.Commit(harm).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(t.Context(), cfg.DataDir); !fault.Is(err, fault.Unavailable) {
		t.Errorf("somebody has the store open: %v", err)
	}
	if err := disk.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := Check(t.Context(), cfg.DataDir)
		if err != nil || r.Running || len(r.Problems) != 4 {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, want := range []string{`session "5/c"`, `"lamp" of registry/things`, `"x" of iam/users`, `bucket "attic"`} {
			if !slices.ContainsFunc(r.Problems, func(p string) bool { return strings.Contains(p, want) }) {
				t.Errorf("%q is not in %q", want, r.Problems)
			}
		}
	}
}

// FuzzBackupList reads any bytes as the list of a backup: no file that it names may lead out of the directory.
func FuzzBackupList(f *testing.F) {
	f.Add([]byte(`{"format":1,"files":[{"name":"instance.json"},{"name":"store/000004.log","bytes":7}]}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"instance.json"},{"name":"store/../../x"}]}`))
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := parseBackup(data)
		if err != nil {
			return
		}
		for _, file := range info.Files {
			if !filepath.IsLocal(file.Name) || strings.Count(file.Name, "/") > 1 || strings.Contains(file.Name, "..") && strings.Contains(file.Name, "/..") {
				t.Errorf("%q is accepted", file.Name)
			}
		}
	})
}
