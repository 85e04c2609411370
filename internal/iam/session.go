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

// tokenFormat is the first byte of a token. It is authenticated, so one format cannot be taken for another.
const tokenFormat = 1

// claims are what a token seals. A token is bound to its access key id by the seal.
type claims struct {
	Secret  string `json:"s"`
	User    string `json:"u"`
	UserID  string `json:"i"`
	Issued  int64  `json:"f"` // seconds since 1970
	Expires int64  `json:"e"`
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
	return base64.StdEncoding.EncodeToString(append([]byte{tokenFormat}, d.sessions.close(text, tokenOf(id))...)), nil
}

func (d *Directory) openToken(id, token string) (*claims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // encoding/base64 would skip ends of lines
		return nil, errSeal
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(sealed) == 0 || sealed[0] != tokenFormat {
		return nil, errSeal
	}
	text, err := d.sessions.open(sealed[1:], tokenOf(id))
	if err != nil {
		return nil, err
	}
	c := new(claims)
	return c, json.Unmarshal(text, c)
}

// tokenOf is what a token belongs to.
func tokenOf(id string) string { return string(rune(tokenFormat)) + id }

func (d *Directory) readSession(ctx context.Context, id, token string) (known, error) {
	c, err := d.openToken(id, token)
	if err != nil {
		return known{}, unknownKey("the session token does not belong to %s here: it is of another server, or was cut or escaped on its way", id)
	}
	p, clock, err := d.sessionUser(ctx, c.User, c.UserID)
	if err != nil {
		return known{}, err
	}
	k := known{identity: d.sessionIdentity(id, p, c.issued(), c.expires()), secret: c.Secret, token: token}
	d.cache.keep(id, k, clock)
	return k, nil
}

// sessionUser gives the user of a session, and the clock of the cache from before.
func (d *Directory) sessionUser(ctx context.Context, name, userID string) (*principal, uint64, error) {
	clock := d.cache.now()
	p, err := d.principal(ctx, name, userID)
	return p, clock, err
}
