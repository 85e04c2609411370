package registry

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thingwire/thingwire/internal/fault"
)

// whenThere says what a write does when the file is there already.
type whenThere bool

const (
	keepFile    whenThere = false // the write is refused as fault.Exists
	replaceFile whenThere = true
)

// readKeyAndCertificate reads a file of writeKeyAndCertificate; fault.NotFound if there is none. A file that others may
// read is refused: the key in it is a secret no more, and nobody should get used to that.
func readKeyAndCertificate(file string) (crypto.Signer, *x509.Certificate, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fault.Wrap(fault.NotFound, err, "no key")
	}
	if err != nil {
		return nil, nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, nil, fault.New(fault.Denied, "%s holds a private key and has mode %04o", file, mode).
			WithRemedy("chmod 600 %s", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	key, cert, err := parseKeyAndCertificate(data)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, err, "%s cannot be read", file).
			WithRemedy("restore it from a backup")
	}
	return key, cert, nil
}

func parseKeyAndCertificate(data []byte) (crypto.Signer, *x509.Certificate, error) {
	keyBlock, rest := pem.Decode(data)
	if keyBlock == nil {
		return nil, nil, errors.New("it is not PEM")
	}
	certBlock, _ := pem.Decode(rest)
	if certBlock == nil {
		return nil, nil, errors.New("there is no certificate behind the key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, nil, errors.New("its key cannot sign")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, err
	}
	public, ok := key.Public().(interface{ Equal(x crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return nil, nil, errors.New("key and certificate do not belong together")
	}
	return key, cert, nil
}

// writeKeyAndCertificate writes both into one file: no crash can part them.
func writeKeyAndCertificate(file string, key crypto.Signer, cert *x509.Certificate, when whenThere) error {
	data, err := privateKeyPEM(key)
	if err != nil {
		return err
	}
	return writeFile(file, append(data, certificatePEM(cert.Raw)...), 0o600, when)
}

// writeFile writes a new file beside its place and moves it there when it is on disk: whoever reads it reads all of it.
func writeFile(file string, data []byte, mode fs.FileMode, when whenThere) error {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, ".new-*") // exclusive and 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone already when it was renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := place(f.Name(), file, when); err != nil {
		return err
	}
	return syncDir(dir)
}

func place(from, to string, when whenThere) error {
	if when == replaceFile {
		return os.Rename(from, to)
	}
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		return fault.Wrap(fault.Exists, err, "%s is there already", to)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}
