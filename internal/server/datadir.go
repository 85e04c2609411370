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

// The files of a data directory that this package owns. The authority keeps ca.pem and its keys beside them, the store
// its own folder.
const (
	storeDir      = "store"
	instanceFile  = "instance.json"
	endpointsFile = "endpoints.json"
	adminSocket   = "admin.sock"

	// RootCAFile is the certificate that clients trust.
	RootCAFile = "ca.pem"
)

// instanceFormat is the version of instance.json that this program writes.
const instanceFormat = 1

// instance is what a data directory keeps of its first start.
type instance struct {
	Format  int       `json:"format"`
	Account string    `json:"account"`
	Region  string    `json:"region"`
	Created time.Time `json:"created"`
}

// makeDataDir creates dir, and refuses one that others can look into: it holds the keys of the certificate authority.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Invalid, err, "the data directory cannot be made").WithRemedy("choose another with --data-dir")
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "the data directory cannot be read")
	}
	if !info.IsDir() {
		return fault.New(fault.Invalid, "the data directory %s is not a directory", dir).WithRemedy("choose another with --data-dir")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fault.New(fault.Invalid, "the data directory %s is open to others (mode %04o) and holds secrets", dir, mode).
			WithRemedy("run: chmod 700 %s", dir)
	}
	return nil
}

// fixInstance reads what the directory was started with, or fixes it now, and puts it into cfg. Account and region
// stand in every ARN of every policy and certificate: they cannot change under a directory's feet. The caller holds the
// lock of the store.
func fixInstance(cfg *Config, now time.Time) error {
	path := filepath.Join(cfg.DataDir, instanceFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		cfg.Account, cfg.Region = orDefault(cfg.Account, DefaultAccount), orDefault(cfg.Region, DefaultRegion)
		return writeJSON(path, instance{Format: instanceFormat, Account: cfg.Account, Region: cfg.Region, Created: now.UTC()})
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the data directory cannot be read")
	}
	var was instance
	if err := json.Unmarshal(data, &was); err != nil || was.Format < 1 {
		return fault.New(fault.Invalid, "%s is damaged", path).WithRemedy("restore it from a backup of the data directory")
	}
	if was.Format > instanceFormat {
		return fault.New(fault.Unsupported, "%s was written by a newer Thingwire (format %d)", path, was.Format).WithRemedy("run that one")
	}
	return was.apply(cfg)
}

func (was instance) apply(cfg *Config) error {
	for _, fixed := range []struct {
		name  string
		asked *string
		was   string
	}{{"account", &cfg.Account, was.Account}, {"region", &cfg.Region, was.Region}} {
		if *fixed.asked != "" && *fixed.asked != fixed.was {
			return fault.New(fault.Conflict, "the data directory %s belongs to %s %s, not %s: it is fixed at the first start", cfg.DataDir, fixed.name, fixed.was, *fixed.asked).
				WithRemedy("leave out --%s, or choose another --data-dir", fixed.name)
		}
		*fixed.asked = fixed.was
	}
	return nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// writeJSON writes a file that is whole or absent, also after a power cut: it is synced and renamed into place.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(path, append(data, '\n')); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the data directory cannot be written")
	}
	return nil
}

func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what is left is only a scrap; the first error counts
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
