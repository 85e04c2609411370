package control

import (
	"errors"
	"time"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/iam"
	"github.com/thingwire/thingwire/internal/policy"
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
	return struct{ Credentials credentialsMember }{credentialsOf(s)}, nil
}

type credentialsMember struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      time.Time
}

func credentialsOf(s *iam.Session) credentialsMember {
	return credentialsMember{s.AccessKeyID, s.Secret.Reveal(), s.Token.Reveal(), s.Expires}
}

// assumeRole asks no policy here: the trust policy and the caller's own decide together, and who is refused is told and
// noted as everywhere.
func assumeRole(c *queryCall) (any, error) {
	a, err := c.assumption()
	if err != nil {
		return nil, err
	}
	if c.caller.Identity == nil {
		return nil, fault.Wrap(fault.Denied, iam.ErrAccessDenied, "Roles may not be assumed by root accounts.").
			WithRemedy("sign with an access key of a user: thingwire key create")
	}
	s, err := c.keys().AssumeRole(c.Context(), c.caller.Identity, c.caller.Vars, a)
	if err != nil {
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Kind == fault.Denied && c.caller.Denied != nil {
			c.caller.Denied(awsapi.Denial{Action: "sts:AssumeRole", Resource: a.RoleARN, Decision: policy.Decision{Statement: -1}, Err: e})
		}
		return nil, err
	}
	type assumedRoleUser struct {
		AssumedRoleID string `xml:"AssumedRoleId"`
		Arn           string
	}
	return struct {
		AssumedRoleUser  assumedRoleUser
		Credentials      credentialsMember
		PackedPolicySize int `xml:",omitempty"` // of a session without a policy there is none
		SessionTokenSize int
		// SessionTokenUtilization takes the place of PackedPolicySize in newer clients.
		SessionTokenUtilization int
	}{assumedRoleUser{s.ID, s.ARN}, credentialsOf(&s.Session), s.PolicySize, len(s.Token), s.TokenUse}, nil
}

// assumption reads what AssumeRole is asked for; iam knows what it may be.
func (c *queryCall) assumption() (a iam.Assumption, err error) {
	if a.RoleARN, err = c.form.required("RoleArn", 2048); err != nil {
		return a, err
	}
	if a.SessionName, err = c.form.required("RoleSessionName", 64); err != nil {
		return a, err
	}
	seconds, err := c.form.number("DurationSeconds", int(iam.MinSession/time.Second), int(iam.MaxRoleSession/time.Second), int(iam.DefaultAssumed/time.Second))
	if err != nil {
		return a, err
	}
	a.Duration = time.Duration(seconds) * time.Second
	for name, to := range map[string]*string{"ExternalId": &a.ExternalID, "Policy": &a.Policy} {
		var given bool
		if *to, given = c.form.optional(name); given && *to == "" {
			return a, invalid("%s is empty", lowerFirst(name))
		}
	}
	return a, nil
}
