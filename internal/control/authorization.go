package control

import (
	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/registry"
)

// actionOf are the actions that a test can be about (AWS IoT API reference, AuthInfo).
var actionOf = map[string]string{
	"PUBLISH": "iot:Publish", "SUBSCRIBE": "iot:Subscribe", "RECEIVE": "iot:Receive", "CONNECT": "iot:Connect",
}

const (
	maxAuthInfos      = 10
	maxResourceLength = 2048
)

type authInfo struct {
	ActionType string   `json:"actionType"`
	Resources  []string `json:"resources"`
}

func (a authInfo) question() (registry.Question, error) {
	q := registry.Question{Action: actionOf[a.ActionType], Resources: a.Resources}
	if q.Action == "" {
		return q, fault.New(fault.Invalid, "%q is not an actionType", fault.Shortened(a.ActionType)).WithRemedy("use PUBLISH, SUBSCRIBE, RECEIVE or CONNECT")
	}
	if len(a.Resources) == 0 {
		return q, fault.New(fault.Invalid, "an authInfo has no resources")
	}
	for _, r := range a.Resources {
		if len(r) > maxResourceLength {
			return q, fault.New(fault.Invalid, "a resource of %d bytes, at most %d are allowed", len(r), maxResourceLength)
		}
	}
	return q, nil
}

type policiesMember struct {
	Policies []policyRef `json:"policies"`
}

type authResult struct {
	AuthInfo authInfo       `json:"authInfo"`
	Allowed  policiesMember `json:"allowed"`
	Denied   struct {
		ImplicitDeny policiesMember `json:"implicitDeny"`
		ExplicitDeny policiesMember `json:"explicitDeny"`
	} `json:"denied"`
	AuthDecision         string   `json:"authDecision"`
	MissingContextValues []string `json:"missingContextValues"`
}

func testAuthorization(c *call) (any, error) {
	var in struct {
		Principal             string     `json:"principal"`
		CognitoIdentityPoolID string     `json:"cognitoIdentityPoolId"`
		AuthInfos             []authInfo `json:"authInfos"`
		PolicyNamesToAdd      []string   `json:"policyNamesToAdd"`
		PolicyNamesToSkip     []string   `json:"policyNamesToSkip"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := refuseCognito(in.CognitoIdentityPoolID); err != nil {
		return nil, err
	}
	if n := len(in.AuthInfos); n < 1 || n > maxAuthInfos {
		return nil, fault.New(fault.Invalid, "%d authInfos, 1 to %d are allowed", n, maxAuthInfos)
	}
	test := registry.AuthorizationTest{
		Principal: in.Principal, ClientID: c.query.Get("clientId"), Add: in.PolicyNamesToAdd, Skip: in.PolicyNamesToSkip,
	}
	for _, info := range in.AuthInfos {
		q, err := info.question()
		if err != nil {
			return nil, err
		}
		test.Questions = append(test.Questions, q)
	}
	verdicts, err := c.registry().TestAuthorization(c.Context(), test)
	if err != nil {
		return nil, err
	}
	out := struct {
		AuthResults []authResult `json:"authResults"`
	}{make([]authResult, 0, len(verdicts))}
	for i := range verdicts {
		out.AuthResults = append(out.AuthResults, c.authResult(in.AuthInfos[i], &verdicts[i]))
	}
	return out, nil
}

// authResult names under implicitDeny the policies that say nothing, when that is what decides.
func (c *call) authResult(info authInfo, v *registry.Verdict) authResult {
	r := authResult{AuthInfo: info, Allowed: c.policies(v.Allowing), AuthDecision: "ALLOWED", MissingContextValues: v.Missing}
	r.Denied.ImplicitDeny, r.Denied.ExplicitDeny = c.policies(nil), c.policies(v.Denying)
	switch {
	case v.Explicit:
		r.AuthDecision = "EXPLICIT_DENY"
	case !v.Allowed:
		r.AuthDecision = "IMPLICIT_DENY"
		r.Denied.ImplicitDeny = c.policies(v.Silent)
	}
	if r.MissingContextValues == nil {
		r.MissingContextValues = []string{}
	}
	return r
}

func (c *call) policies(names []string) policiesMember {
	m := policiesMember{make([]policyRef, 0, len(names))}
	for _, n := range names {
		m.Policies = append(m.Policies, c.policyRef(n))
	}
	return m
}

type effectivePolicy struct {
	policyRef
	PolicyDocument string `json:"policyDocument"`
}

func getEffectivePolicies(c *call) (any, error) {
	var in struct {
		Principal             string `json:"principal"`
		CognitoIdentityPoolID string `json:"cognitoIdentityPoolId"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := refuseCognito(in.CognitoIdentityPoolID); err != nil {
		return nil, err
	}
	list, err := c.registry().EffectivePolicies(c.Context(), in.Principal, c.query.Get("thingName"))
	if err != nil {
		return nil, err
	}
	out := struct {
		EffectivePolicies []effectivePolicy `json:"effectivePolicies"`
	}{make([]effectivePolicy, 0, len(list))}
	for i := range list {
		p := &list[i]
		out.EffectivePolicies = append(out.EffectivePolicies, effectivePolicy{c.policyRef(p.Name), p.DefaultVersion().Document})
	}
	return out, nil
}

func refuseCognito(pool string) error {
	if pool == "" {
		return nil
	}
	return fault.New(fault.Unsupported, "Cognito identities are not implemented by Thingwire").
		WithRemedy("leave cognitoIdentityPoolId out; see docs/compatibility.md")
}
