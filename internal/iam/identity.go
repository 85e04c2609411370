package iam

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// Identity is whose signature it is: a user, by an access key or by a session; a role, by a session; the root of another
// account (ForeignRoot). It is read-only and shared.
type Identity struct {
	AccessKeyID string
	Name        string // of the user; "" if it is none
	Role        string // of the role; "" if it is none
	UserID      string // AIDA…; AROA…:SESSION for a role
	ARN         string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION for a role
	Account     string

	// Expires is when a session ends, zero for an access key.
	Expires time.Time
	// Policies decide what it may do.
	Policies *policy.Set
	// Vars are the variables and condition keys of the principal (aws:username, aws:userid, aws:PrincipalArn …).
	Vars policy.Values

	issued  time.Time   // of a session
	session string      // of a role: the session's name
	bound   *policy.Set // of a role: what the session's own policy allows; nil when it has none
	foreign bool
}

// Owner says in words whose it is.
func (i *Identity) Owner() string {
	switch {
	case i.Role != "":
		return "role " + i.Role + ", session " + i.session
	case i.foreign:
		return "account " + i.Account
	}
	return "user " + i.Name
}

// Session reports whether it is a session, which has an end.
func (i *Identity) Session() bool { return !i.Expires.IsZero() }

// principal is a user or a role as identities see it, shared by all its keys and sessions.
type principal struct {
	name, id, arn string
	policies      *policy.Set
	vars          policy.Values
}

// known is what is known of an access key id: its identity, and what it signs with. token is that of a session.
type known struct {
	identity      *Identity
	secret, token string
}

// Secret gives the secret of an access key or of a session to whoever verifies signatures. Errors are
// fault.Unauthenticated for a key that is unknown or inactive, a token that is not its own, and a session that is over.
func (d *Directory) Secret(ctx context.Context, accessKeyID, token string) (string, error) {
	k, err := d.resolve(ctx, accessKeyID, token)
	if err != nil {
		return "", err
	}
	return k.secret, nil
}

// Identify says whose an access key or a session is, once its signature is verified. A door that keeps the answer for
// a connection listens to OnChange, and asks Again once after it has begun to listen for this connection.
func (d *Directory) Identify(ctx context.Context, accessKeyID, token string) (*Identity, error) {
	k, err := d.resolve(ctx, accessKeyID, token)
	if err != nil {
		return nil, err
	}
	return k.identity, nil
}

// Again says who an identity is now, or that it is over: its key deleted or inactive, its session expired, its user
// gone. It needs no token.
func (d *Directory) Again(ctx context.Context, id *Identity) (*Identity, error) {
	if !id.Session() {
		return d.Identify(ctx, id.AccessKeyID, "")
	}
	if id.Role != "" {
		return d.roleAgain(ctx, id)
	}
	p, err := d.principal(ctx, id.Name, id.UserID)
	if err != nil {
		return nil, err
	}
	if err := d.checkExpiry(id); err != nil {
		return nil, err
	}
	return d.sessionIdentity(id.AccessKeyID, p, id.issued, id.Expires), nil
}

func (d *Directory) resolve(ctx context.Context, id, token string) (known, error) {
	k, ok := d.cache.get(id)
	if !ok || k.token != token {
		var err error
		if k, err = d.read(ctx, id, token); err != nil {
			return known{}, err
		}
	}
	return k, d.checkExpiry(k.identity)
}

func (d *Directory) read(ctx context.Context, id, token string) (known, error) {
	switch {
	case isLongTerm(id) && token == "":
		if k, ok := d.foreign.get(id); ok {
			return k, nil
		}
		return d.readKey(ctx, id)
	case isSession(id) && token != "":
		return d.readSession(ctx, id, token)
	case isLongTerm(id):
		return known{}, unknownKey("leave out the session token: %s is no session", id)
	case isSession(id):
		return known{}, unknownKey("send the session token of %s (AWS_SESSION_TOKEN)", id)
	}
	return known{}, unknownKey("there is no access key %s here: see thingwire key list", fault.Plain(id))
}

func (d *Directory) readKey(ctx context.Context, id string) (known, error) {
	clock := d.cache.now()
	key, _, err := d.loadKey(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return known{}, unknownKey("there is no access key %s here: see thingwire key list", id)
	}
	if err != nil {
		return known{}, err
	}
	if !key.Active {
		return known{}, unknownKey("the access key %s is inactive", id)
	}
	p, err := d.principal(ctx, key.User, key.UserID)
	if err != nil {
		return known{}, err
	}
	secret, err := d.unseal(key)
	if err != nil {
		return known{}, err
	}
	k := known{identity: d.identity(id, p), secret: secret}
	d.cache.keep(id, k, clock)
	return k, nil
}

// principal gives the user with a name and an id, from the cache if it is there.
func (d *Directory) principal(ctx context.Context, name, userID string) (*principal, error) {
	if p := d.cache.principal(name); p != nil && p.id == userID {
		return p, nil
	}
	clock := d.cache.now()
	u, _, err := d.loadUser(ctx, name)
	if fault.Is(err, fault.NotFound) || err == nil && u.ID != userID {
		return nil, unknownKey("the user %s is gone", fault.Plain(name))
	}
	if err != nil {
		return nil, err
	}
	policies, err := u.Policies.compile("user " + u.Name)
	if err != nil {
		return nil, err
	}
	arn := d.UserARN(u.Name)
	p := &principal{name: u.Name, id: u.ID, arn: arn, policies: policies, vars: policy.Values{
		policy.Fold("aws:username"):         {u.Name},
		policy.Fold("aws:userid"):           {u.ID},
		policy.Fold("aws:PrincipalArn"):     {arn},
		policy.Fold("aws:PrincipalAccount"): {d.cfg.Account},
		policy.Fold("aws:PrincipalType"):    {"User"},
	}}
	d.cache.keepPrincipal(p, clock)
	return p, nil
}

func (d *Directory) identity(accessKeyID string, p *principal) *Identity {
	return &Identity{
		AccessKeyID: accessKeyID, Name: p.name, UserID: p.id, ARN: p.arn, Account: d.cfg.Account, Policies: p.policies, Vars: p.vars,
	}
}

func (d *Directory) sessionIdentity(accessKeyID string, p *principal, issued, expires time.Time) *Identity {
	i := d.identity(accessKeyID, p)
	i.issued, i.Expires = issued, expires
	i.Vars = maps.Clone(p.vars)
	i.Vars[policy.Fold("aws:TokenIssueTime")] = []string{issued.Format(time.RFC3339)}
	return i
}

func (d *Directory) checkExpiry(i *Identity) error {
	if i.Session() && !d.cfg.Now().Before(i.Expires) {
		return refuse(fault.Unauthenticated, ErrExpiredToken, "The security token included in the request is expired").
			WithRemedy("it ended at %s; take a new session", i.Expires.Format(time.RFC3339))
	}
	return nil
}

// IsUnknown reports whether err says that a key or a session is not (or no longer) good, rather than that this could not
// be found out.
func IsUnknown(err error) bool {
	n, ok := errors.AsType[NameError](err)
	return ok && (n == ErrUnrecognizedClient || n == ErrExpiredToken)
}
