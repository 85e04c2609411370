package control

import (
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
)

// getCallerIdentity answers who signed: the user for a session of a user, as on AWS, and the root for the admin socket.
func getCallerIdentity(c *queryCall) (any, error) {
	out := struct {
		Arn     string
		UserID  string `xml:"UserId"`
		Account string
	}{c.caller.ARN, c.cfg.Account, c.cfg.Account}
	if id := c.caller.Identity; id != nil {
		out.UserID, out.Account = id.UserID, id.Account
	}
	return out, nil
}

func getSessionToken(c *queryCall) (any, error) {
	seconds, err := c.form.number("DurationSeconds", int(iam.MinSession/time.Second), int(iam.MaxSession/time.Second), int(iam.DefaultSession/time.Second))
	if err != nil {
		return nil, err
	}
	if c.caller.Identity == nil {
		return nil, fault.Wrap(fault.Denied, iam.ErrAccessDenied, "the root of the admin socket has no access key to take a session with").
			WithRemedy("sign with an access key of a user: thingwire key create")
	}
	s, err := c.keys().SessionToken(c.Context(), c.caller.Identity, time.Duration(seconds)*time.Second)
	if err != nil {
		return nil, err
	}
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	return struct{ Credentials credentials }{credentials{s.AccessKeyID, s.Secret.Reveal(), s.Token.Reveal(), s.Expires}}, nil
}
