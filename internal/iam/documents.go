package iam

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// The layout in the store, format 1. Values are JSON, but for the number.
//
//	iam/meta   format      the number of this layout
//	iam/meta   seal        a word sealed with the key, which tells whether the key is the right one
//	iam/meta   first-key   the id of the access key of the first start
//	iam/users  USER        the name in lower case: user with inline policies and the ids of the access keys
//	iam/keys   KEY         access key with its sealed secret
//	iam/roles  ROLE        the name in lower case: role with its trust policy, inline policies and tags
//
// A user's document is rewritten under its revision with each key and policy, a role's with each policy: limits and
// deletion are decided by one revision.
const (
	metaBucket  = "iam/meta"
	usersBucket = "iam/users"
	keysBucket  = "iam/keys"
	rolesBucket = "iam/roles"

	formatKey   = "format"
	sealKey     = "seal"
	firstKeyKey = "first-key"
	format      = 1
)

// userDoc is a user as it is kept.
type userDoc struct {
	Name     string         `json:"name"`
	ID       string         `json:"id"`
	Created  time.Time      `json:"created"`
	Policies inlinePolicies `json:"policies,omitempty"`
	Keys     []string       `json:"keys,omitempty"` // in the order of their creation
}

// roleDoc is a role as it is kept.
type roleDoc struct {
	Name        string         `json:"name"`
	Path        string         `json:"path"`
	ID          string         `json:"id"` // another role of the same name has another one
	Created     time.Time      `json:"created"`
	Description string         `json:"description,omitempty"`
	Trust       string         `json:"trust"`      // the trust policy as it was given
	MaxSession  int            `json:"maxSession"` // seconds
	Policies    inlinePolicies `json:"policies,omitempty"`
	Tags        []Tag          `json:"tags,omitempty"` // in the order of their keys
}

// keyDoc is an access key as it is kept.
type keyDoc struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`   // the user's name
	UserID  string    `json:"userId"` // another user of the same name is another one
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
	Sealed  []byte    `json:"sealed"` // the secret
}

func (k *keyDoc) belongsTo() string { return k.UserID + "/" + k.ID }

type firstKeyDoc struct {
	ID string `json:"id"`
}

// checkFormat writes the number of the layout into a fresh store and refuses a newer one.
func checkFormat(ctx context.Context, s store.Store) error {
	want := strconv.Itoa(format)
	d, err := firstOrStored(ctx, s, formatKey, []byte(want))
	if err != nil {
		return err
	}
	if string(d) != want {
		return fault.New(fault.Unsupported, "the access keys in this store have format %s, this thingwire knows format %d", fault.Plain(string(d)), format).
			WithRemedy("use the thingwire that wrote it, or a newer one")
	}
	return nil
}

// checkSeal refuses a key that is not the one of this store, before anything fails for reasons that nobody would guess.
func checkSeal(ctx context.Context, s store.Store, secrets seal) error {
	word := []byte("thingwire")
	d, err := firstOrStored(ctx, s, sealKey, secrets.close(word, sealKey))
	if err != nil {
		return err
	}
	if got, err := secrets.open(d, sealKey); err != nil || !bytes.Equal(got, word) {
		return fault.New(fault.Invalid, "the sealing key is not the one that sealed the access keys of this store").
			WithRemedy("restore the key file from the backup that the store comes from")
	}
	return nil
}

// firstOrStored gives a document of the meta bucket, and writes it if there is none.
func firstOrStored(ctx context.Context, s store.Store, key string, value []byte) ([]byte, error) {
	d, err := s.Get(ctx, metaBucket, key)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return d.Value, err
	}
	err = documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: key, Value: value, If: documents.Absent})
	if fault.Is(err, fault.Conflict) {
		return firstOrStored(ctx, s, key, value) // another node was faster
	}
	return value, err
}

// retry runs op again while another one changes the same documents.
func retry(op func() error) error {
	const tries = 20
	var err error
	for range tries {
		err = op()
		if !fault.Is(err, fault.Conflict) || hasName(err) {
			return err
		}
	}
	return fault.Wrap(fault.Unavailable, err, "too many changes of one user or role at once").WithRemedy("try again")
}
