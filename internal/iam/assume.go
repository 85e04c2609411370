package iam

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/policy"
)

// How long a session of a role lasts: STS API reference, AssumeRole. A session that a session takes is bounded more.
const (
	DefaultAssumed = time.Hour
	maxChained     = time.Hour
)

// maxSessionPolicy is the longest policy of a session, in characters: STS API reference, AssumeRole.
const maxSessionPolicy = 2048

const actionAssume = "sts:AssumeRole"

// Assumption is a call of AssumeRole.
type Assumption struct {
	RoleARN     string
	SessionName string
	ExternalID  string        // "" when none is given
	Duration    time.Duration // DefaultAssumed when 0
	Policy      string        // what the session may do at most, of what the role may; "" for no such policy
}

// AssumedRole is a session of a role.
type AssumedRole struct {
	Session
	ARN        string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	ID         string // AROA…:SESSION
	PolicySize int    // of the session's policy, per cent of what is allowed
	TokenUse   int    // of the token, per cent of what is allowed
}

// AssumeRole gives a session of a role to whom its trust policy and the caller's own policies allow it. vars are what
// both may ask of the caller and its connection. The session has the rights that the role has at each moment. A refusal
// is fault.Denied in AWS's words, which are the same for a role that does not exist; its remedy says why. Nothing is
// stored.
func (d *Directory) AssumeRole(ctx context.Context, by *Identity, vars policy.Vars, a Assumption) (*AssumedRole, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	by, err := d.Again(ctx, by)
	if err != nil {
		return nil, err
	}
	r, err := d.assumable(ctx, by, vars, &a)
	if err != nil {
		return nil, err
	}
	duration, err := a.duration(by, r)
	if err != nil {
		return nil, err
	}
	now, id := d.now(), newID(sessionPrefix)
	c := claims{
		Secret: newSecret(), Role: r.Name, RoleID: r.ID, Name: a.SessionName, Policy: a.Policy,
		Issued: now.Unix(), Expires: now.Add(duration).Unix(),
	}
	token, err := d.closeToken(id, &c)
	if err != nil {
		return nil, err
	}
	if len(token) > maxToken {
		return nil, refuse(fault.Invalid, ErrPackedPolicy, "the policy of the session makes a token of %d bytes, %d are allowed", len(token), maxToken)
	}
	return &AssumedRole{
		Session: Session{AccessKeyID: id, Secret: Secret(c.Secret), Token: Secret(token), Expires: c.expires()},
		ARN:     d.sessionARN(r.Name, a.SessionName), ID: r.ID + ":" + a.SessionName,
		PolicySize: percent(len([]rune(a.Policy)), maxSessionPolicy), TokenUse: percent(len(token), maxToken),
	}, nil
}

// percent rounds up.
func percent(part, of int) int { return (100*part + of - 1) / of }

var (
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)
)

// check holds a call against STS API reference, AssumeRole.
func (a *Assumption) check() error {
	if !roleARN.MatchString(a.RoleARN) || len(a.RoleARN) > 2048 {
		return refuse(fault.Invalid, ErrValidation, "%s is invalid", fault.Plain(a.RoleARN)).
			WithRemedy("a role's ARN is arn:aws:iam::123456789012:role/NAME")
	}
	if err := checkSessionName(a.SessionName); err != nil {
		return err
	}
	if n := len(a.ExternalID); n > 0 && (n > 1224 || !externalID.MatchString(a.ExternalID)) {
		return refuse(fault.Invalid, ErrValidation, "externalId has %d characters; 2 to 1224 letters, digits and +=,.@:/-_ are allowed", len(a.ExternalID))
	}
	if a.Policy == "" {
		return nil
	}
	if n := len([]rune(a.Policy)); n > maxSessionPolicy {
		return refuse(fault.Invalid, ErrPackedPolicy, "the policy of the session has %d characters, %d are allowed", n, maxSessionPolicy)
	}
	return checkDocument(a.Policy, policy.IAM)
}

// duration is how long the session lasts.
func (a *Assumption) duration(by *Identity, r *roleDoc) (time.Duration, error) {
	duration, most := a.Duration, time.Duration(r.MaxSession)*time.Second
	if duration == 0 {
		duration = DefaultAssumed
	}
	switch {
	case duration < MinSession || duration > MaxRoleSession:
		return 0, refuse(fault.Invalid, ErrValidation, "DurationSeconds must be from %d to %d, not %d",
			MinSession/time.Second, MaxRoleSession/time.Second, duration/time.Second)
	case by.Role != "" && duration > maxChained:
		return 0, refuse(fault.Invalid, ErrValidation, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case duration > most:
		return 0, refuse(fault.Invalid, ErrValidation, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.").
			WithRemedy("at most %d", most/time.Second)
	}
	return duration, nil
}

// assumable gives the role if the caller may assume it.
func (d *Directory) assumable(ctx context.Context, by *Identity, vars policy.Vars, a *Assumption) (*roleDoc, error) {
	refused := func(why string, args ...any) error {
		return refuse(fault.Denied, ErrAccessDenied, "User: %s is not authorized to perform: %s on resource: %s", by.ARN, actionAssume, a.RoleARN).
			WithRemedy(why, args...)
	}
	r, _, err := d.loadRole(ctx, a.RoleARN[strings.LastIndexByte(a.RoleARN, '/')+1:])
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
		return nil, refused("there is no such role")
	case err != nil:
		return nil, err
	case d.RoleARN(r.Path, r.Name) != a.RoleARN:
		return nil, refused("there is no such role; near it is %s", d.RoleARN(r.Path, r.Name))
	}
	trust, err := r.trust()
	if err != nil {
		return nil, err
	}
	req := a.request(by, vars, d.cfg.Now())
	own := by.Policies.Decide(req)
	switch {
	case own.Explicit:
		return nil, refused("%s", by.Policies.Explain(req))
	case !trust.Decide(req).Allowed:
		return nil, refused("%s", trust.Explain(req))
	case own.Allowed:
		return r, nil
	}
	// Who is named by itself in the trust policy of its own account needs no policy of its own (IAM user guide, "Policy
	// evaluation for requests within a single account"). The policy of a session bounds that, too.
	req.By = &policy.Principal{ARNs: req.By.ARNs}
	if by.Account == d.cfg.Account && by.bound == nil && trust.Decide(req).Allowed {
		return r, nil
	}
	return nil, refused("the trust policy leaves it to the account of the caller, and there %s", by.Policies.Explain(req))
}

func (a *Assumption) request(by *Identity, vars policy.Vars, now time.Time) *policy.Request {
	keys := map[string][]string{"sts:RoleSessionName": {a.SessionName}}
	if a.ExternalID != "" {
		keys["sts:ExternalId"] = []string{a.ExternalID}
	}
	names := []string{by.ARN}
	if by.Role != "" {
		names = slices.Concat(names, by.Vars[policy.Fold("aws:PrincipalArn")])
	}
	return &policy.Request{
		Action: actionAssume, Resource: a.RoleARN, Vars: vars, Keys: keys, Now: now,
		By: &policy.Principal{Account: by.Account, ARNs: names},
	}
}
