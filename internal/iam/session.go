package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// How long a session of a user lasts: STS API reference, GetSessionToken.
const (
	MinSession     = 15 * time.Minute
	MaxSession     = 36 * time.Hour
	DefaultSession = 12 * time.Hour
)

// maxToken bounds what is looked at as a token.
const maxToken = 8192

// Session is a set of temporary credentials.
type Session struct {
	AccessKeyID string // ASIA…
	Secret      Secret
	Token       Secret
	Expires     time.Time
}

// The first byte of a token is its format: whose session it is. It is authenticated, so that one format cannot be taken
// for another.
const (
	tokenOfUser byte = 1
	tokenOfRole byte = 2
)

// claims are what a token seals. A token is bound to its access key id by the seal.
type claims struct {
	Secret  string `json:"s"`
	Issued  int64  `json:"f"` // seconds since 1970
	Expires int64  `json:"e"`

	// Of a user's session.
	User   string `json:"u,omitempty"`
	UserID string `json:"i,omitempty"`

	// Of a role's session. Policy is the text of the session's own policy, "" for none.
	Role   string `json:"r,omitempty"`
	RoleID string `json:"ri,omitempty"`
	Name   string `json:"n,omitempty"`
	Policy string `json:"p,omitempty"`
}

func (c *claims) format() byte {
	if c.Role != "" {
		return tokenOfRole
	}
	return tokenOfUser
}

func (c *claims) issued() time.Time  { return time.Unix(c.Issued, 0).UTC() }
func (c *claims) expires() time.Time { return time.Unix(c.Expires, 0).UTC() }

// SessionToken gives a user temporary credentials with the rights that the user has at each moment: STS GetSessionToken.
// Nothing is stored. A duration of 0 is DefaultSession.
func (d *Directory) SessionToken(ctx context.Context, by *Identity, duration time.Duration) (*Session, error) {
	if duration == 0 {
		duration = DefaultSession
	}
	if duration < MinSession || duration > MaxSession {
		return nil, refuse(fault.Invalid, ErrValidation, "DurationSeconds must be from %d to %d, not %d",
			MinSession/time.Second, MaxSession/time.Second, duration/time.Second)
	}
	if by.foreign {
		return nil, refuse(fault.Denied, ErrAccessDenied, "Cannot call GetSessionToken as the root of another account")
	}
	if by.Session() {
		return nil, refuse(fault.Denied, ErrAccessDenied, "Cannot call GetSessionToken with session credentials").
			WithRemedy("call it with an access key")
	}
	if _, err := d.Again(ctx, by); err != nil {
		return nil, err
	}
	now := d.now()
	id := newID(sessionPrefix)
	c := claims{Secret: newSecret(), User: by.Name, UserID: by.UserID, Issued: now.Unix(), Expires: now.Add(duration).Unix()}
	token, err := d.closeToken(id, &c)
	if err != nil {
		return nil, err
	}
	return &Session{AccessKeyID: id, Secret: Secret(c.Secret), Token: Secret(token), Expires: c.expires()}, nil
}

// closeToken seals claims. The text is plain base64 as AWS's, with the characters that clients have to escape.
func (d *Directory) closeToken(id string, c *claims) (string, error) {
	text, err := json.Marshal(c) //nolint:gosec // G117: it is sealed on the next line but two
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(append([]byte{c.format()}, d.sessions.close(text, tokenOf(c.format(), id))...)), nil
}

func (d *Directory) openToken(id, token string) (*claims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // encoding/base64 would skip ends of lines
		return nil, errSeal
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) == 0 || sealed[0] != tokenOfUser && sealed[0] != tokenOfRole {
		return nil, errSeal
	}
	text, err := d.sessions.open(sealed[1:], tokenOf(sealed[0], id))
	if err != nil {
		return nil, err
	}
	c := new(claims)
	if err := json.Unmarshal(text, c); err != nil {
		return nil, err
	}
	if c.format() != sealed[0] {
		return nil, errSeal
	}
	return c, nil
}

// tokenOf is what a token belongs to.
func tokenOf(format byte, id string) string { return string(rune(format)) + id }

func (d *Directory) readSession(ctx context.Context, id, token string) (known, error) {
	c, err := d.openToken(id, token)
	if err != nil {
		return known{}, unknownKey("the session token does not belong to %s here: it is of another server, or was cut or escaped on its way", id)
	}
	clock := d.cache.now()
	var identity *Identity
	if c.Role != "" {
		identity, err = d.identifyRole(ctx, id, c)
	} else {
		identity, err = d.identifyUser(ctx, id, c)
	}
	if err != nil {
		return known{}, err
	}
	k := known{identity: identity, secret: c.Secret, token: token}
	d.cache.keep(id, k, clock)
	return k, nil
}

func (d *Directory) identifyUser(ctx context.Context, id string, c *claims) (*Identity, error) {
	p, err := d.principal(ctx, c.User, c.UserID)
	if err != nil {
		return nil, err
	}
	return d.sessionIdentity(id, p, c.issued(), c.expires()), nil
}
