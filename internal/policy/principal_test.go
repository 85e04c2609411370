package policy

import (
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

const trustHead = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",`

// The Principal element: what it names and what it does not.
func TestPrincipals(t *testing.T) {
	t.Parallel()
	const user, role = "arn:aws:iam::111111111111:user/a", "arn:aws:iam::111111111111:role/p/r"
	const session = "arn:aws:sts::111111111111:assumed-role/r/s"
	for _, c := range []struct {
		principal string
		by        *Principal
		want      bool
	}{
		{`"*"`, &Principal{Account: "1", ARNs: []string{user}}, true},
		{`"*"`, nil, false},
		{`{"AWS":"*"}`, &Principal{ARNs: []string{user}}, true},
		{`{"AWS":"111111111111"}`, &Principal{Account: "111111111111"}, true},
		{`{"AWS":"111111111111"}`, &Principal{ARNs: []string{user}}, false},
		{`{"AWS":"111111111111"}`, &Principal{Account: "222222222222"}, false},
		{`{"AWS":["arn:aws:iam::111111111111:root"]}`, &Principal{Account: "111111111111"}, true},
		{`{"AWS":["arn:aws:iam::111111111111:root"]}`, &Principal{}, false},
		{`{"AWS":["` + session + `","` + user + `"]}`, &Principal{ARNs: []string{user}}, true},
		{`{"AWS":"` + role + `"}`, &Principal{Account: "111111111111", ARNs: []string{session, role}}, true},
		{`{"AWS":"` + session + `"}`, &Principal{ARNs: []string{session, role}}, true},
		{`{"AWS":"` + user + `"}`, &Principal{Account: "111111111111", ARNs: []string{user + "b"}}, false},
		{`{"AWS":"` + user + `"}`, &Principal{ARNs: []string{strings.ToUpper(user)}}, false},
		{`{"Service":"iot.amazonaws.com"}`, &Principal{Account: "1", ARNs: []string{"iot.amazonaws.com"}}, false},
		{`{"Federated":["accounts.google.com"],"AWS":"111111111111"}`, &Principal{Account: "111111111111"}, true},
	} {
		doc, err := Parse([]byte(trustHead+`"Principal":`+c.principal+`}]}`), Trust)
		if err != nil {
			t.Errorf("%s: %v", c.principal, err)
			continue
		}
		s := Compile(Source{Name: "trust", Document: doc})
		r := &Request{Action: "sts:AssumeRole", Resource: role, By: c.by}
		if d := s.Decide(r); d.Allowed != c.want {
			t.Errorf("%s, %+v: %+v", c.principal, c.by, d)
		}
		if why := s.Explain(r); !c.want && !strings.Contains(why, "it is for ") {
			t.Errorf("%s, %+v: %s", c.principal, c.by, why)
		}
	}
}

func TestTrustPoliciesRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, words string }{
		"no principal":         {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`, "has no Principal"},
		"a resource":           {trustHead + `"Principal":"*","Resource":"*"}]}`, "Has prohibited field Resource"},
		"all but a resource":   {trustHead + `"Principal":"*","NotResource":"*"}]}`, "Has prohibited field Resource"},
		"all but a principal":  {trustHead + `"NotPrincipal":"*"}]}`, "aws:PrincipalArn"},
		"another action":       {`{"Statement":{"Effect":"Allow","Action":"iot:Publish","Principal":"*"}}`, "may only specify STS AssumeRole actions"},
		"any action":           {`{"Statement":{"Effect":"Allow","Action":"*","Principal":"*"}}`, "may only specify STS AssumeRole actions"},
		"no action":            {`{"Statement":{"Effect":"Allow","Principal":"*"}}`, "Action"},
		"text":                 {trustHead + `"Principal":"arn:aws:iam::111111111111:root"}]}`, `must be "*" or an object`},
		"nothing":              {trustHead + `"Principal":{}}]}`, `must be "*" or an object`},
		"another kind":         {trustHead + `"Principal":{"Aws":"*"}}]}`, `did you mean "AWS"`},
		"a number":             {trustHead + `"Principal":{"AWS":111111111111}}]}`, "must be a string"},
		"no account":           {trustHead + `"Principal":{"AWS":"11111111111"}}]}`, "is not a principal"},
		"an account's ARN":     {trustHead + `"Principal":{"AWS":"arn:aws:iam::111111111111"}}]}`, "is not a principal"},
		"an account's root":    {trustHead + `"Principal":{"AWS":"111111111111:root"}}]}`, "is not a principal"},
		"a group":              {trustHead + `"Principal":{"AWS":"arn:aws:iam::111111111111:group/g"}}]}`, "is not a principal"},
		"a wildcard":           {trustHead + `"Principal":{"AWS":"arn:aws:iam::111111111111:user/*"}}]}`, "is not a principal"},
		"a service's wildcard": {trustHead + `"Principal":{"Service":"*"}}]}`, "is not a principal"},
		"in an IAM policy":     {`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			kind := Trust
			if c.words == "" {
				kind, c.words = IAM, "has no place"
			}
			if _, err := Parse([]byte(c.text), kind); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %q", err, c.words)
			}
		})
	}
	if _, err := Parse([]byte(trustHead+`"Principal":{"AWS":["`+strings.Repeat("1", 2048)+`"]}}]}`), Trust); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// Both sets have to allow, each may deny, and the reason is that of whichever refuses.
func TestWithin(t *testing.T) {
	t.Parallel()
	const a = `{"Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"` + dialogueARN + `topic/a*"},{"Effect":"Deny","Action":"*","Resource":"` + dialogueARN + `topic/ax"}]}`
	const b = `{"Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"` + dialogueARN + `topic/ab"}]}`
	named := func(name, text string) *Set {
		doc, err := Parse([]byte(text), IoT)
		if err != nil {
			t.Fatal(err)
		}
		return Compile(Source{Name: name, Document: doc})
	}
	role, session := named("role", a), named("session", b)
	for _, c := range []struct {
		action, topic string
		want          bool
		explicit      bool
		by            string
	}{
		{"iot:Publish", "a", true, false, "role"},
		{"iot:Publish", "b", false, false, "role"},
		{"iot:Connect", "a", false, false, "session"},
		{"iot:Publish", "ab", false, true, "session"},
		{"iot:Publish", "ax", false, true, "role"},
	} {
		both := role.Within(session)
		r := &Request{Action: c.action, Resource: dialogueARN + "topic/" + c.topic}
		if d := both.Decide(r); d.Allowed != c.want || d.Explicit != c.explicit {
			t.Errorf("%+v: %+v", c, d)
		}
		if why := both.Explain(r); !strings.Contains(why, `policy "`+c.by+`"`) {
			t.Errorf("%+v: %s", c, why)
		}
	}
	r := &Request{Action: "iot:Publish", Resource: dialogueARN + "topic/a"}
	if d := role.Within(nil).Decide(r); !d.Allowed {
		t.Errorf("no bound: %+v", d)
	}
	var none *Set
	if none.Within(session).Decide(r).Allowed || role.Within(Compile()).Decide(r).Allowed || AllowAll().Within(named("n", a)).Decide(&Request{Action: "x:Y", Resource: "*"}).Allowed {
		t.Error("a bound lets through")
	}
	if role.Within(session).Within(named("n", `{"Statement":[]}`)).Decide(r).Allowed {
		t.Error("a bound forgets the one before")
	}
}
