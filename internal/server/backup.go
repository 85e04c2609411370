package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

const (
	// backupFile is the list of a backup's files. It is written last: a backup without it is none.
	backupFile   = "backup.json"
	backupFormat = 1
)

// besideStore are the files of a data directory that a backup has beside the store. Endpoints and the admin socket are of
// the running server; the journal is not part of a backup.
var besideStore = []string{instanceFile, "ca.key", RootCAFile, "server-ecdsa.pem", "server-rsa.pem", sealingKeyFile, CredentialsFile}

// BackupInfo is what a backup says of itself.
type BackupInfo struct {
	Format  int          `json:"format"`
	Account string       `json:"account"`
	Region  string       `json:"region"`
	Created time.Time    `json:"created"`
	Files   []BackupFile `json:"files"`
}

// BackupFile is one file of a backup, by its path with slashes.
type BackupFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of all files together.
func (b *BackupInfo) Bytes() (n int64) {
	for i := range b.Files {
		n += b.Files[i].Bytes
	}
	return n
}

// Progress is told how far something long has come, in bytes.
type Progress func(done, total int64)

// Backup copies the data directory of a server, which goes on meanwhile, or of a stopped one, into to, which must not be
// there or be empty: the store as it is at one moment, the keys and the certificates. What was acknowledged before the
// call is in it. Files are 0600 and the directory is 0700: the copy holds the same secrets.
func Backup(ctx context.Context, dataDir, to string, told Progress) (_ *BackupInfo, err error) {
	if err := makeEmpty(to); err != nil {
		return nil, err
	}
	now, err := hold(ctx, dataDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, now.release()) }()
	c := &copying{ctx: ctx, to: to, told: told}
	if err := c.find(dataDir, now.dir); err != nil {
		return nil, now.gone(err)
	}
	info := &BackupInfo{Format: backupFormat, Created: time.Now().UTC()}
	if info.Account, info.Region, err = readInstance(dataDir); err != nil {
		return nil, err
	}
	if info.Files, err = c.all(nil); err != nil {
		return nil, errors.Join(now.gone(err), c.undo())
	}
	if err := writeJSON(filepath.Join(to, backupFile), info); err != nil {
		return nil, errors.Join(err, c.undo())
	}
	return info, nil
}

// Restore makes a data directory of a backup, whole or not at all. dataDir must not be there or be empty.
func Restore(ctx context.Context, from, dataDir string, told Progress) (_ *BackupInfo, err error) {
	info, err := readBackup(from)
	if err != nil {
		return nil, err
	}
	if err := mustBeEmpty(dataDir); err != nil {
		return nil, err
	}
	parent := filepath.Dir(dataDir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the data directory cannot be made")
	}
	half, err := os.MkdirTemp(parent, "."+filepath.Base(dataDir)+".restoring-*") // 0700
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the data directory cannot be made")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(half))
		}
	}()
	c := &copying{ctx: ctx, to: half, told: told, total: info.Bytes()}
	for _, f := range info.Files {
		c.files = append(c.files, source{name: f.Name, path: filepath.Join(from, filepath.FromSlash(f.Name)), bytes: f.Bytes})
	}
	if _, err := c.all(info.Files); err != nil {
		return nil, err
	}
	// An empty directory gives way to a rename.
	if err := os.Rename(half, dataDir); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the data directory cannot be put in its place")
	}
	return info, syncDir(parent)
}

func readInstance(dataDir string) (account, region string, err error) {
	cfg := Config{DataDir: dataDir}
	if _, err := os.Stat(filepath.Join(dataDir, instanceFile)); err != nil {
		return "", "", fault.Wrap(fault.Invalid, err, "%s is no data directory of thingwire", dataDir)
	}
	err = fixInstance(&cfg, time.Now()) // it is there: nothing is written
	return cfg.Account, cfg.Region, err
}

// backupName is what a file in a backup may be called: nothing that leads out of a directory.
var backupName = regexp.MustCompile(`^(` + storeDir + `/)?[A-Za-z0-9_][A-Za-z0-9._-]*$`)

// readBackup reads and checks the list of a backup.
func readBackup(dir string) (*BackupInfo, error) {
	data, err := os.ReadFile(filepath.Join(dir, backupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Invalid, err, "%s is no backup, or one that was not finished", dir).WithRemedy("give the DIR of: thingwire backup DIR")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the backup cannot be read")
	}
	info, err := parseBackup(data)
	if err != nil {
		return nil, fault.Wrap(fault.KindOf(err), err, "%s", filepath.Join(dir, backupFile))
	}
	return info, nil
}

func parseBackup(data []byte) (*BackupInfo, error) {
	var info BackupInfo
	if err := json.Unmarshal(data, &info); err != nil || info.Format < 1 {
		return nil, fault.New(fault.Invalid, "the list of the backup is damaged").WithRemedy("use another backup")
	}
	if info.Format > backupFormat {
		return nil, fault.New(fault.Unsupported, "the backup has format %d, this thingwire knows format %d", info.Format, backupFormat).
			WithRemedy("use the thingwire that made it, or a newer one")
	}
	seen := map[string]bool{}
	for _, f := range info.Files {
		if !backupName.MatchString(f.Name) || f.Bytes < 0 || seen[f.Name] {
			return nil, fault.New(fault.Invalid, "the list of the backup names %q", f.Name).WithRemedy("use another backup")
		}
		seen[f.Name] = true
	}
	if !seen[instanceFile] {
		return nil, fault.New(fault.Invalid, "the list of the backup is not whole").WithRemedy("use another backup")
	}
	return &info, nil
}

// mustBeEmpty refuses a directory that has something.
func mustBeEmpty(dir string) error {
	there, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fault.Wrap(fault.Invalid, err, "%s cannot be used", dir).WithRemedy("name a directory that is not there yet")
	case len(there) > 0:
		return fault.New(fault.Exists, "%s is there already and not empty", dir).WithRemedy("name a directory that is not there yet")
	}
	return nil
}

func makeEmpty(dir string) error {
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap(fault.Invalid, err, "the directory of the backup cannot be made")
	}
	return os.Chmod(dir, 0o700) //nolint:gosec // a directory needs its x
}

// copying copies files into a directory.
type copying struct {
	ctx         context.Context
	to          string
	files       []source
	done, total int64
	told        Progress
	made        []string
}

// source is a file to be copied to a name with slashes.
type source struct {
	name, path string
	bytes      int64
}

// find lists what a data directory has: its own files, and those of its store, which are in another place.
func (c *copying) find(dataDir, store string) error {
	add := func(name, path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		c.files, c.total = append(c.files, source{name, path, info.Size()}), c.total+info.Size()
		return nil
	}
	for _, name := range besideStore {
		if err := add(name, filepath.Join(dataDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	entries, err := os.ReadDir(store)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == "LOCK" {
			continue
		}
		if err := add(storeDir+"/"+e.Name(), filepath.Join(store, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// all copies the files. Where want says what they must be, it checks that.
func (c *copying) all(want []BackupFile) (copied []BackupFile, err error) {
	if err := os.Mkdir(filepath.Join(c.to, storeDir), 0o700); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the copy cannot be made")
	}
	c.made = append(c.made, storeDir)
	for i, f := range c.files {
		sum, n, err := c.one(f)
		if err != nil {
			return nil, err
		}
		copied = append(copied, BackupFile{Name: f.name, Bytes: n, SHA256: sum})
		if want != nil && copied[i] != want[i] {
			return nil, fault.New(fault.Invalid, "%s is not what the backup's list says: it was changed or is damaged", f.path).
				WithRemedy("use another backup")
		}
	}
	return copied, errors.Join(syncDir(filepath.Join(c.to, storeDir)), syncDir(c.to))
}

// one copies a file, which is on disk when it returns.
func (c *copying) one(f source) (sum string, n int64, err error) {
	from, err := os.Open(f.path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = from.Close() }() // it was only read
	to, err := os.OpenFile(filepath.Join(c.to, filepath.FromSlash(f.name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, fault.Wrap(fault.Unavailable, err, "the copy cannot be made")
	}
	c.made = append(c.made, f.name)
	hash := sha256.New()
	n, err = io.Copy(io.MultiWriter(to, hash, c), from)
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return "", 0, fault.Wrap(fault.Unavailable, err, "%s cannot be copied", f.path)
	}
	return hex.EncodeToString(hash.Sum(nil)), n, nil
}

// Write counts what is copied, and ends the copy when the context does.
func (c *copying) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	c.done += int64(len(p))
	if c.told != nil {
		c.told(c.done, c.total)
	}
	return len(p), nil
}

// undo removes what was copied, so that nobody takes a half for a whole.
func (c *copying) undo() (err error) {
	for _, name := range slices.Backward(c.made) {
		err = errors.Join(err, os.Remove(filepath.Join(c.to, filepath.FromSlash(name))))
	}
	return err
}
