package iam

import (
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thingwire/thingwire/internal/fault"
)

// keyBlock is the type of the PEM block in a key file.
const keyBlock = "THINGWIRE SEALING KEY"

// Key seals what a Directory keeps and gives out. It is a secret; no printed form has it.
type Key [32]byte

// NewKey makes a key that nobody keeps, for a server in memory.
func NewKey() Key {
	var k Key
	rand.Read(k[:])
	return k
}

// String shows nothing.
func (Key) String() string { return "sealing key" }

// GoString shows nothing.
func (Key) GoString() string { return "iam.Key{…}" }

// OpenKeyFile reads the key of a file, and makes it at the first start: whole or not at all, never over another, 0600. A
// file that others may read is refused.
func OpenKeyFile(file string) (Key, error) {
	key, err := readKeyFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = NewKey()
	err = writeKeyFile(file, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: key[:]}))
	if errors.Is(err, fs.ErrExist) {
		return readKeyFile(file) // another process was faster
	}
	if err != nil {
		return Key{}, fault.Wrap(fault.Unavailable, err, "the sealing key cannot be written")
	}
	return key, nil
}

func readKeyFile(file string) (Key, error) {
	info, err := os.Stat(file)
	if err != nil {
		return Key{}, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Key{}, fault.New(fault.Denied, "%s seals all secrets and has mode %04o", file, mode).WithRemedy("chmod 600 %s", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return Key{}, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != keyBlock || len(block.Bytes) != len(Key{}) {
		return Key{}, fault.New(fault.Invalid, "%s is damaged", file).WithRemedy("restore it from a backup of the data directory")
	}
	return Key(block.Bytes), nil
}

// writeKeyFile writes beside the place and links it there when it is on disk.
func writeKeyFile(file string, data []byte) error {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".new-*") // exclusive and 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the link stays, this name goes
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
