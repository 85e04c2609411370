package control

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/policy"
)

// authorised has what AWS authorises for each operation (Service Authorization Reference, "Actions, resources, and
// condition keys for AWS IoT"): kinds of resources as their ARNs have them, those with a star always, the others where the
// request names one.
//
//go:embed testdata/resources.txt
var authorised string

// Each row asks permission for the kinds of resources that AWS's reference names.
func TestResourcesAreThoseOfAWS(t *testing.T) {
	aws := map[string][]string{}
	for line := range strings.Lines(authorised) {
		f := strings.Fields(line)
		aws[f[0]] = f[1:]
	}
	for _, op := range operations() {
		known, ok := aws[op.name]
		if !ok {
			t.Errorf("%s is not in AWS's reference", op.name)
		}
		var kinds []string
		if r, ok := requests()[op.resource]; ok {
			if kinds = strings.Fields(r.kinds); len(kinds) == 0 {
				continue // any, by its ARN
			}
		} else if kind, _, ok := strings.Cut(op.resource, "/"); ok {
			kinds = []string{kind}
		} else if op.resource != "*" {
			t.Errorf("%s: nobody knows how to read %q", op.name, op.resource)
		}
		for _, kind := range known {
			if always := strings.TrimSuffix(kind, "*"); !slices.Contains(kinds, always) {
				t.Errorf("%s: AWS asks about a %s, %q does not", op.name, kind, op.resource)
			}
		}
		for _, kind := range kinds {
			if !slices.Contains(known, kind) && !slices.Contains(known, kind+"*") {
				t.Errorf("%s: AWS does not ask about a %s", op.name, kind)
			}
		}
	}
}

// as gives the caller the statements of a policy of IAM, each an action, a resource without its ARN's head and perhaps a
// condition.
func (w *world) as(statements ...[]string) {
	w.t.Helper()
	var texts []string
	for _, s := range statements {
		condition := ""
		if len(s) > 2 {
			condition = `,"Condition":` + s[2]
		}
		texts = append(texts, fmt.Sprintf(`{"Effect":"Allow","Action":"iot:%s","Resource":%q%s}`, s[0], resources+s[1], condition))
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(texts, ",")+`]}`), policy.IAM)
	if err != nil {
		w.t.Fatal(err)
	}
	w.caller = awsapi.Caller{ARN: "arn:aws:iam::000000000000:user/ann", Policies: policy.Compile(policy.Source{Name: "p", Document: doc})}
}

// Who may use only some of an operation's resources is refused, and told which one is missing.
func TestEachResourceIsAuthorised(t *testing.T) {
	w := newWorld(t)
	root := w.caller
	w.ok("POST", "/things/lamp", "")
	for _, name := range []string{"a", "b"} {
		w.ok("POST", "/thing-groups/"+name, "")
		w.ok("POST", "/billing-groups/"+name, "")
	}
	const member, byARN = `{"thingName":"lamp","thingGroupName":"a"}`, `{"thingArn":"` + resources + `thing/lamp","thingGroupArn":"` + resources + `thinggroup/a"}`
	const billed = `{"thingName":"lamp","billingGroupArn":"` + resources + `billinggroup/a"}`
	for _, c := range []struct {
		operation, method, path, body string
		about                         []string
	}{
		{"AddThingToThingGroup", "PUT", "/thing-groups/addThingToThingGroup", member, []string{"thing/lamp", "thinggroup/a"}},
		{"AddThingToThingGroup", "PUT", "/thing-groups/addThingToThingGroup", byARN, []string{"thing/lamp", "thinggroup/a"}},
		{"RemoveThingFromThingGroup", "PUT", "/thing-groups/removeThingFromThingGroup", member, []string{"thing/lamp", "thinggroup/a"}},
		{
			"UpdateThingGroupsForThing", "PUT", "/thing-groups/updateThingGroupsForThing",
			`{"thingName":"lamp","thingGroupsToAdd":["b"],"thingGroupsToRemove":["a"]}`,
			[]string{"thing/lamp", "thinggroup/b", "thinggroup/a"},
		},
		{"AddThingToBillingGroup", "PUT", "/billing-groups/addThingToBillingGroup", billed, []string{"thing/lamp", "billinggroup/a"}},
		{"RemoveThingFromBillingGroup", "PUT", "/billing-groups/removeThingFromBillingGroup", billed, []string{"thing/lamp", "billinggroup/a"}},
		{"CreateThing", "POST", "/things/door", `{"billingGroupName":"b"}`, []string{"thing/door", "billinggroup/b"}},
		{"CreateThing", "POST", "/things/gate", `{}`, []string{"thing/gate"}},
	} {
		for missing := range c.about {
			var rest [][]string
			for i, resource := range c.about {
				if i != missing {
					rest = append(rest, []string{c.operation, resource})
				}
			}
			w.as(append(rest, []string{"DescribeThing", "thing/*"})...)
			a := w.refused(403, "AccessDeniedException", c.method, c.path, c.body)
			want := "is not authorized to perform: iot:" + c.operation + " on resource: " + resources + c.about[missing]
			if !strings.Contains(a.message(), want) {
				t.Errorf("%s: %q, want %q", c.operation, a.message(), want)
			}
		}
		var all [][]string
		for _, resource := range c.about {
			all = append(all, []string{c.operation, resource})
		}
		w.as(all...)
		w.ok(c.method, c.path, c.body)
	}
	w.caller = root
	if groups := w.ok("GET", "/things/lamp/thing-groups", ""); !strings.Contains(groups.text, "thinggroup/b") {
		t.Errorf("the lamp is in %s", groups.text)
	}
}

// Attachments are authorised on what is attached to: the right to one certificate is none to another.
func TestAttachmentsAreAuthorisedOnThePrincipal(t *testing.T) {
	w := newWorld(t)
	root := w.caller
	w.ok("POST", "/things/lamp", "")
	w.ok("POST", "/things/door", "")
	w.ok("POST", "/policies/p", document)
	_, mine := w.register("ACTIVE")
	_, yours := w.register("ACTIVE")
	for _, c := range []struct{ operation, method, path, body, header string }{
		{"AttachThingPrincipal", "PUT", "/things/lamp/principals", "", principalHeader},
		{"ListPrincipalThings", "GET", "/principals/things", "", principalHeader},
		{"ListPrincipalThingsV2", "GET", "/principals/things-v2", "", principalHeader},
		{"DetachThingPrincipal", "DELETE", "/things/lamp/principals", "", principalHeader},
		{"AttachPolicy", "PUT", "/target-policies/p", `{"target":%q}`, ""},
		{"DetachPolicy", "POST", "/target-policies/p", `{"target":%q}`, ""},
		{"AttachPrincipalPolicy", "PUT", "/principal-policies/p", "", policyPrincipalHeader},
		{"DetachPrincipalPolicy", "DELETE", "/principal-policies/p", "", policyPrincipalHeader},
		{"GetEffectivePolicies", "POST", "/effective-policies", `{"principal":%q}`, ""},
		{
			"TestAuthorization", "POST", "/test-authorization",
			`{"principal":%q,"authInfos":[{"actionType":"CONNECT","resources":["` + resources + `client/a"]}]}`, "",
		},
	} {
		ask := func(principal string) *answer {
			var headers []string
			if c.header != "" {
				headers = []string{c.header, principal}
			}
			body := c.body
			if strings.Contains(body, "%q") {
				body = fmt.Sprintf(body, principal)
			}
			return w.do(c.method, c.path, body, headers...)
		}
		w.as([]string{c.operation, strings.TrimPrefix(mine, resources)})
		if a := ask(mine); a.status != 200 {
			t.Errorf("%s: %s", c.operation, a.text)
		}
		if a := ask(yours); a.status != 403 || !strings.Contains(a.message(), "on resource: "+yours) {
			t.Errorf("%s of another: %d %s", c.operation, a.status, a.text)
		}
	}
	w.as([]string{"AttachThingPrincipal", "cert/*", `{"ArnEquals":{"iot:thingArn":"` + resources + `thing/lamp"}}`})
	w.ok("PUT", "/things/lamp/principals", "", principalHeader, mine)
	w.refused(403, "AccessDeniedException", "PUT", "/things/door/principals", "", principalHeader, mine)
	w.refused(400, "InvalidRequestException", "PUT", "/things/lamp/principals", "")
	w.caller = root
	w.refused(400, "InvalidRequestException", "PUT", "/target-policies/p", "")
}
