package iam

import (
	"context"
	"errors"
	"time"

	"github.com/thingwire/thingwire/internal/store"
)

// Config is what a Directory needs. Store and Key are required.
type Config struct {
	Account   string // twelve digits; "000000000000" when empty
	Partition string // aws, aws-cn or aws-us-gov; aws when empty

	Store store.Store
	Key   Key // always the same one for a store: OpenKeyFile, or NewKey for a store in memory

	Now func() time.Time // time.Now when nil
}

// Directory knows who may sign. It is safe for concurrent use.
type Directory struct {
	cfg       Config
	arnPrefix string // up to and including the colon before the resource
	secrets   seal
	sessions  seal
	cache     *cache
	news      *news
	foreign   foreignRoots
}

// Open starts a directory on a store. It starts one goroutine, which Close ends.
func Open(ctx context.Context, cfg Config) (*Directory, error) {
	if cfg.Store == nil {
		return nil, errors.New("iam: Config.Store is missing")
	}
	if cfg.Key == (Key{}) {
		return nil, errors.New("iam: Config.Key is missing")
	}
	cfg = cfg.withDefaults()
	d := &Directory{cfg: cfg, arnPrefix: "arn:" + cfg.Partition + ":iam::" + cfg.Account + ":", cache: newCache()}
	var err error
	if d.secrets, err = sealFor(&cfg.Key, "secrets"); err != nil {
		return nil, err
	}
	if d.sessions, err = sealFor(&cfg.Key, "sessions"); err != nil {
		return nil, err
	}
	d.cfg.Key = Key{} // the seals are all that is needed from here
	if err := checkFormat(ctx, cfg.Store); err != nil {
		return nil, err
	}
	if err := checkSeal(ctx, cfg.Store, d.secrets); err != nil {
		return nil, err
	}
	d.news = openNews(cfg.Store, d.cache)
	return d, nil
}

// Close ends the directory's watches and waits for its goroutine. The store stays open.
func (d *Directory) Close() { d.news.Close() }

func (c Config) withDefaults() Config {
	if c.Account == "" {
		c.Account = "000000000000"
	}
	if c.Partition == "" {
		c.Partition = "aws"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// now is the time as documents and tokens keep it: UTC, in seconds, as AWS shows it here.
func (d *Directory) now() time.Time { return d.cfg.Now().UTC().Truncate(time.Second) }

// Account is the account that the directory is of.
func (d *Directory) Account() string { return d.cfg.Account }

// RoleARN is the name of a role in policies and answers. The path begins and ends with a slash.
func (d *Directory) RoleARN(path, name string) string { return d.arnPrefix + "role" + path + name }

// sessionARN is the name of a role's session. It has the role's name without its path (IAM user guide, "Assumed-role
// session principals").
func (d *Directory) sessionARN(role, session string) string {
	return "arn:" + d.cfg.Partition + ":sts::" + d.cfg.Account + ":assumed-role/" + role + "/" + session
}

// UserARN is the name of a user in policies and answers.
func (d *Directory) UserARN(name string) string { return d.arnPrefix + "user/" + name }
