package control

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
	"github.com/thingwire/thingwire/internal/policy"
)

const resources = "arn:aws:iot:us-east-1:000000000000:"

func tagsQuery(resource string) string {
	return "/tags?resourceArn=" + strings.ReplaceAll(resources+resource, ":", "%3A")
}

func ofResource(resource, member string) string {
	return fmt.Sprintf(`{"resourceArn":%q,%s}`, resources+resource, member)
}

func TestTagOperations(t *testing.T) {
	w := newWorld(t)
	const tags = `"tags":[{"Key":"room","Value":"kitchen"},{"Key":"empty"}]`
	const shown = `{"tags":[{"Key":"empty","Value":""},{"Key":"room","Value":"kitchen"}]}`
	w.ok("POST", "/policies/x", strings.TrimSuffix(document, "}")+","+tags+"}")
	w.ok("POST", "/thing-groups/x", "{"+tags+"}")
	w.ok("POST", "/thing-types/x", "{"+tags+"}")
	ca := w.ok("POST", "/cacertificate", fmt.Sprintf(`{"caCertificate":%s,"certificateMode":"SNI_ONLY",%s}`, quoted(t, newAuthority(t, "mine").text), tags))
	for _, resource := range []string{"policy/x", "thinggroup/x", "thingtype/x", "cacert/" + ca.body["certificateId"].(string)} {
		if a := w.ok("GET", tagsQuery(resource), ""); a.text != shown {
			t.Errorf("%s: %s", resource, a.text)
		}
		if a := w.ok("POST", "/tags", ofResource(resource, `"tags":[{"Key":"room","Value":"cellar"}]`)); a.text != "{}" {
			t.Errorf("tagged: %s", a.text)
		}
		if a := w.ok("POST", "/untag", ofResource(resource, `"tagKeys":["empty","nothing"]`)); a.text != "{}" {
			t.Errorf("untagged: %s", a.text)
		}
		if a := w.ok("GET", tagsQuery(resource), ""); a.text != `{"tags":[{"Key":"room","Value":"cellar"}]}` {
			t.Errorf("%s: %s", resource, a.text)
		}
	}
	w.ok("DELETE", "/policies/x", "")
	w.ok("POST", "/policies/x", document)
	if a := w.ok("GET", tagsQuery("policy/x"), ""); a.text != `{"tags":[]}` {
		t.Errorf("another policy of the name: %s", a.text)
	}
}

func TestTagsRefused(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/policies/x", document)
	w.ok("POST", "/things/lamp", "")
	w.ok("POST", "/thing-types/tagged", `{"tags":[{"Key":"a","Value":"b"}]}`)
	w.refused(409, "ResourceAlreadyExistsException", "POST", "/thing-types/tagged", "{}")
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf(`{"Key":"k%d","Value":"v"}`, i))
	}
	all := strings.Join(many, ",")
	w.refused(410, "LimitExceededException", "POST", "/tags", ofResource("policy/x", `"tags":[`+all+`]`))
	for _, tags := range []string{
		`[{"Key":""}]`, `[{"Value":"v"}]`, `[{"Key":null}]`, `[{"Key":"aws:x"}]`, `[{"Key":"a"},{"Key":"a"}]`, `[{"Key":"a","Value":1}]`,
		`[{"Key":"a*"}]`, `{"a":"b"}`, `"a"`, `["a"]`, `[{"Key":"` + strings.Repeat("k", 129) + `"}]`, `[{"Key":"a","Value":"` + strings.Repeat("v", 257) + `"}]`,
	} {
		w.refused(400, "InvalidRequestException", "POST", "/tags", ofResource("policy/x", `"tags":`+tags))
		w.refused(400, "InvalidRequestException", "POST", "/thing-types/t", `{"tags":`+tags+`}`)
		w.refused(400, "InvalidRequestException", "POST", "/thing-groups/t", `{"tags":`+tags+`}`)
		w.refused(400, "InvalidRequestException", "POST", "/policies/t", strings.TrimSuffix(document, "}")+`,"tags":`+tags+`}`)
		w.refused(400, "InvalidRequestException", "POST", "/cacertificate", `{"tags":`+tags+`}`)
	}
	w.refused(400, "InvalidRequestException", "POST", "/thing-groups/t", `{"tags":[`+all+`]}`)
	for _, c := range []struct {
		status                        int
		exception, method, path, body string
	}{
		{400, "InvalidRequestException", "GET", "/tags", ""},
		{400, "InvalidRequestException", "GET", tagsQuery("thing/lamp"), ""},
		{404, "ResourceNotFoundException", "GET", tagsQuery("policy/y"), ""},
		{400, "InvalidRequestException", "GET", tagsQuery("policy/x") + "&nextToken=eA%3D%3D", ""},
		{400, "InvalidRequestException", "POST", "/tags", ""},
		{400, "InvalidRequestException", "POST", "/tags", `{"tags":[]}`},
		{400, "InvalidRequestException", "POST", "/tags", ofResource("policy/x", `"tags":null`)},
		{400, "InvalidRequestException", "POST", "/tags", `{"resourceArn":1,"tags":[]}`},
		{404, "ResourceNotFoundException", "POST", "/tags", ofResource("policy/y", `"tags":[]`)},
		{400, "InvalidRequestException", "POST", "/untag", ofResource("policy/x", `"tags":[]`)},
		{400, "InvalidRequestException", "POST", "/untag", ofResource("policy/x", `"tagKeys":[1]`)},
		{400, "InvalidRequestException", "POST", "/untag", ofResource("policy/x", `"tagKeys":[""]`)},
		{404, "ResourceNotFoundException", "POST", "/untag", ofResource("policy/y", `"tagKeys":[]`)},
		{501, "NotImplementedException", "DELETE", "/tags", ""},
	} {
		w.refused(c.status, c.exception, c.method, c.path, c.body)
	}
}

// The right to tag one resource is no right to tag another, however the request spells it.
func TestTagAuthorisation(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"mine", "yours"} {
		w.ok("POST", "/policies/"+name, document)
	}
	doc, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Action":["iot:TagResource","iot:UntagResource","iot:ListTagsForResource"],"Resource":"`+resources+`policy/mine"}]}`), policy.IAM)
	if err != nil {
		t.Fatal(err)
	}
	w.caller = awsapi.Caller{ARN: "arn:aws:iam::000000000000:user/ann", Policies: policy.Compile(policy.Source{Name: "p", Document: doc})}
	const add = `"tags":[{"Key":"a","Value":"b"}]`
	w.ok("POST", "/tags", ofResource("policy/mine", add))
	w.ok("GET", tagsQuery("policy/mine"), "")
	w.ok("POST", "/untag", ofResource("policy/mine", `"tagKeys":["a"]`))
	yours := fmt.Sprintf(`"resourceArn":%q`, resources+"policy/yours")
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/tags", ofResource("policy/yours", add)},
		{"POST", "/tags", ofResource("policy/mine", add+","+yours)},
		{"POST", "/tags", ofResource("policy/mine", add+","+strings.Replace(yours, "resource", "RESOURCE", 1))},
		{"POST", "/tags?resourceArn=" + resources + "policy/mine", "{" + yours + "," + add + "}"},
		{"POST", "/untag", ofResource("policy/yours", `"tagKeys":["a"]`)},
		{"GET", tagsQuery("policy/yours"), ""},
		{"GET", tagsQuery("policy/yours") + "&resourceArn=" + resources + "policy/mine", ""},
		{"GET", "/tags", ofResource("policy/mine", add)},
	} {
		w.refused(403, "AccessDeniedException", c.method, c.path, c.body)
	}
}

func TestUpdateThingTypeOperation(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":"shines","searchableAttributes":["watt"]}}`)
	if a := w.ok("PATCH", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":"glows"}}`); a.text != "{}" {
		t.Errorf("updated: %s", a.text)
	}
	w.ok("PATCH", "/thing-types/bulb", "")
	properties := func() string { return quoted(t, w.ok("GET", "/thing-types/bulb", "").body["thingTypeProperties"]) }
	if got := properties(); got != `{"searchableAttributes":["watt"],"thingTypeDescription":"glows"}` {
		t.Errorf("properties %s", got)
	}
	w.ok("PATCH", "/thing-types/bulb", `{"thingTypeProperties":{"searchableAttributes":[]}}`)
	if got := properties(); got != `{"searchableAttributes":[],"thingTypeDescription":"glows"}` {
		t.Errorf("properties %s", got)
	}
	for _, c := range []struct {
		status                int
		exception, path, body string
	}{
		{404, "ResourceNotFoundException", "/thing-types/nobody", "{}"},
		{400, "InvalidRequestException", "/thing-types/a%20b", "{}"},
		{400, "InvalidRequestException", "/thing-types/bulb", `{"thingTypeProperties":[]}`},
		{400, "InvalidRequestException", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":7}}`},
		{400, "InvalidRequestException", "/thing-types/bulb", `{"thingTypeProperties":{"searchableAttributes":["a","b","c","d"]}}`},
		{400, "InvalidRequestException", "/thing-types/bulb", `{"thingTypeProperties":{"searchableAttributes":"a"}}`},
		{400, "InvalidRequestException", "/thing-types/bulb", `{"thingTypeProperties":{"thingTypeDescription":"` + strings.Repeat("d", 2029) + `"}}`},
		{501, "NotImplementedException", "/thing-types/bulb", `{"thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[{}]}}}`},
	} {
		w.refused(c.status, c.exception, "PATCH", c.path, c.body)
	}
}
