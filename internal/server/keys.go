package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/cloudformation"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

const (
	// CredentialsFile has the access key of the first start, in the form of AWS's shared credentials file.
	CredentialsFile = "credentials"
	// Profile is the name of the profile in CredentialsFile.
	Profile = "thingwire"

	sealingKeyFile = "iam.key"
	firstUser      = "thingwire"
)

// Credentials are an access key and its secret.
type Credentials struct {
	AccessKeyID string
	Secret      iam.Secret
}

// openKeys opens the directory of access keys, and makes the first one at the first start.
func (r *rooms) openKeys(ctx context.Context, log *slog.Logger) error {
	key := iam.NewKey()
	if !r.cfg.InMemory {
		var err error
		if key, err = iam.OpenKeyFile(filepath.Join(r.cfg.DataDir, sealingKeyFile)); err != nil {
			return err
		}
	}
	keys, err := iam.Open(ctx, iam.Config{Account: r.cfg.Account, Store: r.store, Key: key})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { keys.Close(); return nil })
	r.guard = awsapi.NewGuard(keys)
	if r.sigfox.AccessKeyID, r.sigfox.Secret, err = keys.ForeignRoot(r.cfg.sigfoxAccount()); err != nil {
		return err
	}
	return r.firstKey(ctx, log)
}

// openStacks opens the stacks, which are made of the roles of the directory.
func (r *rooms) openStacks(ctx context.Context, _ *slog.Logger) (err error) {
	r.stacks, err = cloudformation.Open(ctx, cloudformation.Config{
		Account: r.cfg.Account, Region: r.cfg.Region, Store: r.store, Keys: r.guard.Keys(),
	})
	return err
}

// firstKey hands out the access key of the first start. One that was deleted is not made again: somebody took it away.
func (r *rooms) firstKey(ctx context.Context, log *slog.Logger) error {
	key, secret, _, err := r.guard.Keys().FirstKey(ctx, firstUser)
	if fault.Is(err, fault.NotFound) {
		log.Debug("the access key of the first start was deleted", slog.String("remedy", "thingwire key create"))
		return nil
	}
	if err != nil {
		return err
	}
	r.first = Credentials{AccessKeyID: key.ID, Secret: secret}
	if r.cfg.InMemory {
		return nil
	}
	return writeCredentials(filepath.Join(r.cfg.DataDir, CredentialsFile), r.first, r.cfg.Region)
}

// writeCredentials writes the file unless it is there: what somebody wrote into it is theirs.
func writeCredentials(path string, c Credentials, region string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		text := fmt.Sprintf("# The access key of the first start: its user may do everything. See: thingwire key --help\n"+
			"[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\n", Profile, c.AccessKeyID, c.Secret.Reveal(), region)
		if err := writeFile(path, []byte(text)); err != nil {
			return fault.Wrap(fault.Unavailable, err, "the data directory cannot be written")
		}
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the data directory cannot be read")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fault.New(fault.Invalid, "%s has a secret and mode %04o", path, mode).WithRemedy("run: chmod 600 %s", path)
	}
	return nil
}
