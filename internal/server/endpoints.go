package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// Endpoints is what endpoints.json says of a running server.
type Endpoints struct {
	Addresses map[string]string // listener name to the host:port it has
	PID       int
	Started   time.Time
}

// MarshalJSON writes one flat object: the listeners, pid and started.
func (e Endpoints) MarshalJSON() ([]byte, error) {
	flat := map[string]any{"pid": e.PID, "started": e.Started.UTC().Format(time.RFC3339)}
	for name, addr := range e.Addresses {
		flat[name] = addr
	}
	return json.Marshal(flat)
}

// UnmarshalJSON reads what MarshalJSON writes. Members of later versions that are not texts are passed over.
func (e *Endpoints) UnmarshalJSON(data []byte) error {
	var flat map[string]any
	if err := json.Unmarshal(data, &flat); err != nil {
		return err
	}
	*e = Endpoints{Addresses: map[string]string{}}
	for name, value := range flat {
		switch v := value.(type) {
		case string:
			if name != "started" {
				e.Addresses[name] = v
				continue
			}
			started, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return err
			}
			e.Started = started
		case float64:
			if name == "pid" {
				e.PID = int(v)
			}
		}
	}
	return nil
}

// ReadEndpoints says where the server of a data directory listens. A file that a killed server left behind is stale and
// counts as absent: the admin socket answers if and only if a server is there.
func ReadEndpoints(dir string) (Endpoints, error) {
	data, err := os.ReadFile(filepath.Join(dir, endpointsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Endpoints{}, fault.Wrap(fault.Unavailable, err, "the data directory cannot be read")
	}
	if err != nil || !answers(dir) {
		return Endpoints{}, notServing(dir, nil)
	}
	var e Endpoints
	if err := json.Unmarshal(data, &e); err != nil {
		return Endpoints{}, fault.Wrap(fault.Invalid, err, "%s is damaged", filepath.Join(dir, endpointsFile)).WithRemedy("restart the server")
	}
	return e, nil
}

// answers reports whether somebody listens on the admin socket of dir.
func answers(dir string) bool {
	conn, err := dialAdmin(dir)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func notServing(dir string, err error) error {
	return &fault.Error{
		Kind: fault.Unavailable, Err: err,
		Cause:  "no server runs on the data directory " + dir,
		Remedy: "start one with: thingwire serve --data-dir " + dir,
	}
}

// removeStale removes what a killed server left behind. The caller holds the lock of the store, so nobody else serves.
func removeStale(dir string) error {
	for _, name := range []string{endpointsFile, adminSocket} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.Wrap(fault.Unavailable, err, "the data directory cannot be written")
		}
	}
	return nil
}

// Serving reports whether a server runs on a data directory.
func Serving(dir string) bool { return answers(dir) }
