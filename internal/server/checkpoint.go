package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/thingwire/thingwire/internal/control"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store/pebble"
)

// checkpointPath is where the admin socket, and nothing else, gives a view of the store that does not change.
const checkpointPath = privatePrefix + "checkpoint"

// checkpointPrefix begins the names of checkpoints in the data directory.
const checkpointPrefix = "checkpoint-"

// checkpointed is the first line of the answer.
type checkpointed struct {
	Directory string `json:"directory"` // of the checkpoint: a store of its own
}

// checkpoints answers POST /_thingwire/v1/checkpoint: it makes a checkpoint of the store in the data directory, names it in
// one line of JSON, and removes it when the client is gone. Whoever may open the admin socket may read the data directory.
type checkpoints struct {
	dir   string
	store driver
	log   *slog.Logger
}

func (c *checkpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	disk, ok := c.store.(interface{ Checkpoint(dir string) error })
	if !ok || r.Method != http.MethodPost {
		control.Refuse(c.log, w, r, fault.New(fault.Unsupported, "there is no %s %s here", r.Method, r.URL.Path).WithRemedy("use POST, on a server with a data directory"))
		return
	}
	dir := filepath.Join(c.dir, checkpointPrefix+uuid.NewString())
	if err := disk.Checkpoint(dir); err != nil {
		control.Refuse(c.log, w, r, err)
		return
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			c.log.Warn("a checkpoint cannot be removed", slog.String("dir", dir), slog.Any("err", err))
		}
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	if json.NewEncoder(w).Encode(checkpointed{dir}) == nil && http.NewResponseController(w).Flush() == nil {
		<-r.Context().Done()
	}
}

// removeCheckpoints removes those that a killed server left behind.
func removeCheckpoints(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, checkpointPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// still is a store's directory that does not change while it is held.
type still struct {
	dir     string // with the files of the store
	running bool   // a server goes on meanwhile
	release func() error
}

// hold finds the store of a data directory as it is now: a checkpoint where a server runs, else the directory itself,
// which no server can take until it is released.
func hold(ctx context.Context, dataDir string) (*still, error) {
	if info, err := os.Stat(filepath.Join(dataDir, storeDir)); err != nil || !info.IsDir() {
		return nil, fault.New(fault.NotFound, "%s is no data directory of thingwire: it has no %s", dataDir, storeDir).WithRemedy("say --data-dir DIR")
	}
	if !answers(dataDir) {
		lock, err := pebble.Lock(filepath.Join(dataDir, storeDir))
		if err != nil {
			return nil, err
		}
		return &still{dir: filepath.Join(dataDir, storeDir), release: lock.Close}, nil
	}
	return holdCheckpoint(ctx, dataDir)
}

func holdCheckpoint(ctx context.Context, dataDir string) (*still, error) {
	admin := NewAdmin(dataDir)
	resp, err := admin.send(ctx, request{method: http.MethodPost, path: checkpointPath, header: http.Header{}, service: serviceControl})
	if err != nil {
		admin.Close()
		return nil, err
	}
	release := func() error {
		err := resp.Body.Close()
		admin.Close()
		return err
	}
	var c checkpointed
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&c); err != nil {
		return nil, errors.Join(fault.Wrap(fault.Unavailable, err, "the server broke off its answer"), release())
	}
	// The server's working directory may be another one; its data directory is this one.
	name := filepath.Base(c.Directory)
	if !strings.HasPrefix(name, checkpointPrefix) {
		return nil, errors.Join(fault.New(fault.Internal, "the server made a checkpoint in %s", c.Directory), release())
	}
	return &still{dir: filepath.Join(dataDir, name), running: true, release: release}, nil
}

// gone makes an error of a file that vanished understandable: the server has stopped meanwhile.
func (s *still) gone(err error) error {
	if s.running && errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Unavailable, err, "the server stopped meanwhile").WithRemedy("try again")
	}
	return err
}
