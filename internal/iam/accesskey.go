package iam

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// maxKeys is how many access keys a user has at most: IAM quotas.
const maxKeys = 2

// AccessKey is a pair of an id and a secret that signs for a user.
type AccessKey struct {
	ID      string
	User    string
	Active  bool
	Created time.Time
}

// Secret is what an access key or a session signs with. It is shown once; no printed form has it but Reveal.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String shows nothing.
func (Secret) String() string { return "secret" }

// GoString shows nothing.
func (Secret) GoString() string { return "iam.Secret(…)" }

// CreateAccessKey gives a user another access key. Its secret is given out here and nowhere else.
func (d *Directory) CreateAccessKey(ctx context.Context, user string) (AccessKey, Secret, error) {
	var key *keyDoc
	var secret string
	err := d.changeUser(ctx, user, func(u *userDoc) ([]store.DocOp, error) {
		if len(u.Keys) >= maxKeys {
			return nil, refuse(fault.Throttled, ErrLimitExceeded, "Cannot exceed quota for AccessKeysPerUser: %d", maxKeys).
				WithRemedy("delete one of %s", strings.Join(u.Keys, ", "))
		}
		key, secret = d.newKey(u)
		return []store.DocOp{documents.Put(keysBucket, key.ID, key, documents.Absent)}, nil
	})
	if err != nil {
		return AccessKey{}, "", err
	}
	return key.shown(), Secret(secret), nil
}

// newKey makes a key and notes it with its user.
func (d *Directory) newKey(u *userDoc) (*keyDoc, string) {
	key := &keyDoc{ID: newID(longTermPrefix), User: u.Name, UserID: u.ID, Active: true, Created: d.now()}
	secret := newSecret()
	key.Sealed = d.secrets.close([]byte(secret), key.belongsTo())
	u.Keys = append(u.Keys, key.ID)
	return key, secret
}

func (k *keyDoc) shown() AccessKey {
	return AccessKey{ID: k.ID, User: k.User, Active: k.Active, Created: k.Created}
}

// ListAccessKeys gives the keys of a user in the order of their creation.
func (d *Directory) ListAccessKeys(ctx context.Context, user string) ([]AccessKey, error) {
	u, _, err := d.loadUser(ctx, user)
	if err != nil {
		return nil, err
	}
	keys := make([]AccessKey, 0, len(u.Keys))
	for _, id := range u.Keys {
		k, _, err := d.loadKey(ctx, id)
		if fault.Is(err, fault.NotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, k.shown())
	}
	return keys, nil
}

// GetAccessKey gives a key by its id alone.
func (d *Directory) GetAccessKey(ctx context.Context, id string) (AccessKey, error) {
	k, _, err := d.loadKey(ctx, id)
	if err != nil {
		return AccessKey{}, err
	}
	return k.shown(), nil
}

// SetAccessKeyActive activates or deactivates a key of a user.
func (d *Directory) SetAccessKeyActive(ctx context.Context, user, id string, active bool) error {
	return retry(func() error {
		if _, err := d.ownedKey(ctx, user, id); err != nil {
			return err
		}
		k, rev, err := d.loadKey(ctx, id)
		if err != nil || k.Active == active {
			return err
		}
		k.Active = active
		return documents.Commit(d.cfg.Store, documents.Put(keysBucket, id, k, documents.AtRev(rev)))
	})
}

// DeleteAccessKey deletes a key of a user. Sessions that it took go on, as on AWS.
func (d *Directory) DeleteAccessKey(ctx context.Context, user, id string) error {
	return d.changeUser(ctx, user, func(u *userDoc) ([]store.DocOp, error) {
		i := slices.Index(u.Keys, id)
		if i < 0 {
			return nil, noKey(id)
		}
		u.Keys = slices.Delete(u.Keys, i, i+1)
		return []store.DocOp{documents.Remove(keysBucket, id, store.Condition{})}, nil
	})
}

// ownedKey finds a key among those of a user.
func (d *Directory) ownedKey(ctx context.Context, user, id string) (*userDoc, error) {
	u, _, err := d.loadUser(ctx, user)
	if err == nil && !slices.Contains(u.Keys, id) {
		err = noKey(id)
	}
	return u, err
}

func (d *Directory) loadKey(ctx context.Context, id string) (*keyDoc, uint64, error) {
	if !isLongTerm(id) {
		return nil, 0, noKey(id)
	}
	k, rev, err := documents.Load[keyDoc](ctx, d.cfg.Store, keysBucket, id)
	if fault.Is(err, fault.NotFound) {
		return nil, 0, noKey(id)
	}
	return k, rev, err
}

// unseal gives the secret of a key.
func (d *Directory) unseal(k *keyDoc) (string, error) {
	secret, err := d.secrets.open(k.Sealed, k.belongsTo())
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the secret of access key %s cannot be opened", k.ID)
	}
	return string(secret), nil
}

// FirstKey gives the access key of the first start. If there never was one, it makes it, with a user of this name that
// may do everything. What comes back is the same key at each start, so that a lost credentials file can be written
// again; made tells whether it is new. When the key was deleted, the answer is fault.NotFound: it is not made again.
func (d *Directory) FirstKey(ctx context.Context, user string) (key AccessKey, secret Secret, made bool, err error) {
	if err := checkUserName(user); err != nil {
		return AccessKey{}, "", false, err
	}
	first, _, err := documents.Load[firstKeyDoc](ctx, d.cfg.Store, metaBucket, firstKeyKey)
	if fault.Is(err, fault.NotFound) {
		return d.makeFirstKey(ctx, user)
	}
	if err != nil {
		return AccessKey{}, "", false, err
	}
	k, _, err := d.loadKey(ctx, first.ID)
	if err != nil {
		return AccessKey{}, "", false, err
	}
	text, err := d.unseal(k)
	return k.shown(), Secret(text), false, err
}

func (d *Directory) makeFirstKey(ctx context.Context, user string) (AccessKey, Secret, bool, error) {
	u := d.newUser(user)
	u.Policies = inlinePolicies{{Name: "everything", Document: Everything}}
	k, secret := d.newKey(u)
	err := documents.Commit(d.cfg.Store,
		documents.Put(metaBucket, firstKeyKey, firstKeyDoc{k.ID}, documents.Absent),
		documents.Put(keysBucket, k.ID, k, documents.Absent),
		documents.Put(usersBucket, userKey(user), u, documents.Absent))
	if err == nil {
		return k.shown(), Secret(secret), true, nil
	}
	if !fault.Is(err, fault.Conflict) {
		return AccessKey{}, "", false, err
	}
	if _, err := d.cfg.Store.Get(ctx, metaBucket, firstKeyKey); fault.Is(err, fault.NotFound) {
		return AccessKey{}, "", false, refuse(fault.Exists, ErrEntityAlreadyExists, "User with name %s already exists.", user)
	}
	return d.FirstKey(ctx, user) // another node was faster
}
