package control

import (
	"fmt"
	"testing"
)

// The newer lists say how a principal is attached, and choose by it.
func TestPrincipalsV2(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/things/lamp", "")
	_, shared := w.register("ACTIVE")
	_, own := w.register("ACTIVE")
	w.ok("PUT", "/things/lamp/principals", "", principalHeader, shared)
	w.ok("PUT", "/things/lamp/principals?thingPrincipalType=EXCLUSIVE_THING", "", principalHeader, own)
	for _, c := range []struct{ query, principal, thingOf string }{
		{"?thingPrincipalType=EXCLUSIVE_THING", own, own},
		{"?thingPrincipalType=NON_EXCLUSIVE_THING", shared, shared},
	} {
		kind := c.query[len("?thingPrincipalType="):]
		want := fmt.Sprintf(`{"thingPrincipalObjects":[{"principal":%q,"thingPrincipalType":%q}]}`, c.principal, kind)
		if a := w.ok("GET", "/things/lamp/principals-v2"+c.query, ""); a.text != want {
			t.Errorf("%s: %s, want %s", c.query, a.text, want)
		}
		want = fmt.Sprintf(`{"principalThingObjects":[{"thingName":"lamp","thingPrincipalType":%q}]}`, kind)
		if a := w.ok("GET", "/principals/things-v2"+c.query, "", principalHeader, c.thingOf); a.text != want {
			t.Errorf("%s: %s, want %s", c.query, a.text, want)
		}
	}
	if a := w.ok("GET", "/principals/things-v2?thingPrincipalType=EXCLUSIVE_THING", "", principalHeader, shared); a.text != `{"principalThingObjects":[]}` {
		t.Errorf("not exclusive: %s", a.text)
	}
	if a := w.ok("GET", "/things/lamp/principals-v2", ""); len(a.body["thingPrincipalObjects"].([]any)) != 2 {
		t.Errorf("all: %s", a.text)
	}
	for _, c := range []struct {
		status                     int
		exception, path, principal string
	}{
		{400, "InvalidRequestException", "/things/lamp/principals-v2?thingPrincipalType=MINE", ""},
		{400, "InvalidRequestException", "/things/a%20b/principals-v2", ""},
		{404, "ResourceNotFoundException", "/things/door/principals-v2", ""},
		{400, "InvalidRequestException", "/principals/things-v2", ""},
		{400, "InvalidRequestException", "/principals/things-v2", "me"},
		{400, "InvalidRequestException", "/principals/things-v2?thingPrincipalType=exclusive_thing", own},
		{404, "ResourceNotFoundException", "/principals/things-v2", "arn:aws:iot:us-east-1:000000000000:cert/" + zeros},
	} {
		w.refused(c.status, c.exception, "GET", c.path, "", principalHeader, c.principal)
	}
}

// The deprecated calls take their principals and policies from headers of their own.
func TestDeprecatedPolicyOperations(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/policies/p", document)
	w.ok("POST", "/thing-groups/g", "")
	_, arn := w.register("ACTIVE")
	group := "arn:aws:iot:us-east-1:000000000000:thinggroup/g"
	if a := w.ok("PUT", "/principal-policies/p", "", policyPrincipalHeader, arn); a.text != "{}" {
		t.Errorf("attached: %s", a.text)
	}
	w.ok("PUT", "/target-policies/p", quoted(t, targetMember{group}))
	if a := w.ok("GET", "/principal-policies?isAscendingOrder=true", "", policyPrincipalHeader, arn); a.text !=
		`{"policies":[{"policyName":"p","policyArn":"arn:aws:iot:us-east-1:000000000000:policy/p"}]}` {
		t.Errorf("policies: %s", a.text)
	}
	if a := w.ok("GET", "/policy-principals", "", policyNameHeader, "p"); a.text != fmt.Sprintf(`{"principals":[%q]}`, arn) {
		t.Errorf("principals: %s", a.text)
	}
	nobody := "arn:aws:iot:us-east-1:000000000000:cert/" + zeros
	for _, c := range []struct {
		status                                 int
		exception, method, path, header, value string
	}{
		{400, "InvalidRequestException", "PUT", "/principal-policies/p", principalHeader, arn},
		{400, "InvalidRequestException", "PUT", "/principal-policies/p", policyPrincipalHeader, group},
		{404, "ResourceNotFoundException", "PUT", "/principal-policies/q", policyPrincipalHeader, arn},
		{404, "ResourceNotFoundException", "PUT", "/principal-policies/p", policyPrincipalHeader, nobody},
		{400, "InvalidRequestException", "DELETE", "/principal-policies/p", principalHeader, arn},
		{400, "InvalidRequestException", "DELETE", "/principal-policies/a%20b", policyPrincipalHeader, arn},
		{404, "ResourceNotFoundException", "DELETE", "/principal-policies/q", policyPrincipalHeader, arn},
		{404, "ResourceNotFoundException", "DELETE", "/principal-policies/p", policyPrincipalHeader, nobody},
		{400, "InvalidRequestException", "GET", "/principal-policies", principalHeader, arn},
		{400, "InvalidRequestException", "GET", "/principal-policies?isAscendingOrder=1", policyPrincipalHeader, arn},
		{404, "ResourceNotFoundException", "GET", "/principal-policies", policyPrincipalHeader, nobody},
		{400, "InvalidRequestException", "GET", "/policy-principals", policyPrincipalHeader, arn},
		{400, "InvalidRequestException", "GET", "/policy-principals?isAscendingOrder=yes", policyNameHeader, "p"},
		{404, "ResourceNotFoundException", "GET", "/policy-principals", policyNameHeader, "q"},
	} {
		w.refused(c.status, c.exception, c.method, c.path, "", c.header, c.value)
	}
	for i := range 10 {
		w.ok("POST", fmt.Sprintf("/policies/p%d", i), document)
	}
	for i := range 9 {
		w.ok("PUT", fmt.Sprintf("/principal-policies/p%d", i), "", policyPrincipalHeader, arn)
	}
	w.refused(410, "LimitExceededException", "PUT", "/principal-policies/p9", "", policyPrincipalHeader, arn)
	w.ok("DELETE", "/principal-policies/p", "", policyPrincipalHeader, arn)
	w.ok("DELETE", "/principal-policies/p", "", policyPrincipalHeader, arn)
	if a := w.ok("GET", "/policy-principals", "", policyNameHeader, "p"); a.text != `{"principals":[]}` {
		t.Errorf("detached: %s", a.text)
	}
}
