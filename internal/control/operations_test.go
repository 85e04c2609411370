package control

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func members(a *answer) string { return strings.Join(slices.Sorted(maps.Keys(a.body)), " ") }

func TestDescribeEndpoint(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]string{
		"":                                     "iot.example",
		"?endpointType=iot%3AData-ATS":         "iot.example",
		"?endpointType=iot:CredentialProvider": "iot.example",
		"?endpointType=iot:Jobs":               "jobs.example",
	} {
		if a := w.ok("GET", "/endpoint"+query, ""); a.body["endpointAddress"] != want || members(a) != "endpointAddress" {
			t.Errorf("%s: %s", query, a.text)
		}
	}
	w.refused(400, "InvalidRequestException", "GET", "/endpoint?endpointType=iot:Moon", "")
	for host, want := range map[string]string{"[::1]:8443": "::1", "127.0.0.1:1": "127.0.0.1", "a.b": "a.b", "[::1]": "::1"} {
		if got := ownHost(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestThingOperations(t *testing.T) {
	w := newWorld(t)
	const create = `{"attributePayload": {"attributes": {"floor": "2"}, "merge": false}}`
	a := w.ok("POST", "/things/lamp", create)
	if members(a) != "thingArn thingId thingName" || a.body["thingArn"] != "arn:aws:iot:us-east-1:000000000000:thing/lamp" {
		t.Errorf("created %s", a.text)
	}
	if again := w.ok("POST", "/things/lamp", create); again.text != a.text {
		t.Errorf("created again %s", again.text)
	}
	e := w.refused(409, "ResourceAlreadyExistsException", "POST", "/things/lamp", "{}")
	if e.body["resourceId"] != a.body["thingId"] || e.body["resourceArn"] != a.body["thingArn"] {
		t.Errorf("exists: %s", e.text)
	}
	w.refused(404, "ResourceNotFoundException", "POST", "/things/b", `{"thingTypeName":"bulb"}`)
	w.refused(404, "ResourceNotFoundException", "POST", "/things/b", `{"billingGroupName":"g"}`)
	w.refused(400, "InvalidRequestException", "POST", "/things/b%20c", "")
	w.refused(400, "InvalidRequestException", "GET", "/things/", "") // the JavaScript SDK with an empty name
	w.refused(404, "ResourceNotFoundException", "GET", "/things/door", "")

	w.ok("PATCH", "/things/lamp", `{"attributePayload":{"attributes":{"room":"k"},"merge":true},"expectedVersion":1}`)
	w.refused(409, "VersionConflictException", "PATCH", "/things/lamp", `{"expectedVersion":1}`)
	w.refused(404, "ResourceNotFoundException", "PATCH", "/things/door", `{}`)
	d := w.ok("GET", "/things/lamp", "")
	want := map[string]any{
		"defaultClientId": "lamp", "thingName": "lamp", "thingId": a.body["thingId"], "thingArn": a.body["thingArn"],
		"attributes": map[string]any{"floor": "2", "room": "k"}, "version": 2.0,
	}
	if diff := cmp.Diff(want, d.body); diff != "" {
		t.Error(diff)
	}
	w.ok("PATCH", "/things/lamp", `{"attributePayload":{}}`)
	if d = w.ok("GET", "/things/lamp", ""); len(d.body["attributes"].(map[string]any)) != 0 {
		t.Errorf("not replaced: %s", d.text)
	}
	w.refused(409, "VersionConflictException", "DELETE", "/things/lamp?expectedVersion=9", "")
	w.refused(400, "InvalidRequestException", "DELETE", "/things/lamp?expectedVersion=x", "")
	if d := w.ok("DELETE", "/things/lamp?expectedVersion=3", ""); d.text != "{}" {
		t.Errorf("deleted: %s", d.text)
	}
	w.ok("DELETE", "/things/lamp", "")
}

// pages walks a paged list to its end.
func (w *world) pages(method, target, size, token, next, list string, n int, headers ...string) []any {
	w.t.Helper()
	var all []any
	mark := ""
	for range 100 {
		a := w.ok(method, fmt.Sprintf("%s?%s=%d&%s=%s", target, size, n, token, url.QueryEscape(mark)), "", headers...)
		part := a.body[list].([]any)
		if len(part) > n {
			w.t.Fatalf("%d in a page of %d", len(part), n)
		}
		all = append(all, part...)
		m, _ := a.body[next].(string)
		if m == "" {
			return all
		}
		if m == mark {
			w.t.Fatal("the same token twice")
		}
		mark = m
	}
	w.t.Fatal("no end")
	return nil
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	const thing = "/things/lamp"
	w.ok("POST", thing, "")
	w.ok("POST", "/policies/p", document)
	id, arn := w.register("INACTIVE")
	for i := range 6 {
		w.ok("POST", fmt.Sprintf("/things/t%d", i), "")
		w.ok("POST", fmt.Sprintf("/policies/p%d", i), document)
		_, other := w.register("ACTIVE")
		w.ok("PUT", fmt.Sprintf("/things/t%d/principals", i), "", "x-amzn-principal", arn)
		w.ok("PUT", "/things/lamp/principals", "", "x-amzn-principal", other)
		w.ok("PUT", fmt.Sprintf("/target-policies/p%d", i), quoted(t, targetMember{arn}))
		w.ok("PUT", "/target-policies/p", quoted(t, targetMember{other}))
	}
	headers := func(principal string) []string {
		return []string{principalHeader, principal, policyPrincipalHeader, principal, policyNameHeader, "p"}
	}
	for _, c := range []struct {
		method, target, size, token, next, list, header string
		want                                            int
	}{
		{"GET", "/things", "maxResults", "nextToken", "nextToken", "things", "", 7},
		{"GET", "/things/lamp/principals", "maxResults", "nextToken", "nextToken", "principals", "", 6},
		{"GET", "/principals/things", "maxResults", "nextToken", "nextToken", "things", arn, 6},
		{"GET", "/certificates", "pageSize", "marker", "nextMarker", "certificates", "", 7},
		{"GET", "/policies", "pageSize", "marker", "nextMarker", "policies", "", 7},
		{"POST", "/attached-policies/" + url.PathEscape(arn), "pageSize", "marker", "nextMarker", "policies", "", 6},
		{"POST", "/policy-targets/p", "pageSize", "marker", "nextMarker", "targets", "", 6},
		{"GET", "/things/lamp/principals-v2", "maxResults", "nextToken", "nextToken", "thingPrincipalObjects", "", 6},
		{"GET", "/principals/things-v2", "maxResults", "nextToken", "nextToken", "principalThingObjects", arn, 6},
		{"GET", "/principal-policies", "pageSize", "marker", "nextMarker", "policies", arn, 6},
		{"GET", "/policy-principals", "pageSize", "marker", "nextMarker", "principals", "", 6},
	} {
		for _, n := range []int{1, 2, 3, 7, 250} {
			got := w.pages(c.method, c.target, c.size, c.token, c.next, c.list, n, headers(c.header)...)
			seen := map[string]bool{}
			for _, g := range got {
				seen[fmt.Sprint(g)] = true
			}
			if len(got) != c.want || len(seen) != c.want {
				t.Errorf("%s by %d: %d, %d different, want %d", c.target, n, len(got), len(seen), c.want)
			}
		}
		for _, bad := range []string{c.size + "=0", c.size + "=251", c.size + "=x", c.token + "=hello", c.token + "=RGVzY3JpYmUAeA=="} {
			w.refused(400, "InvalidRequestException", c.method, c.target+"?"+bad, "", headers(c.header)...)
		}
	}
	list := w.ok("GET", "/things?attributeName=x&attributeValue=y", "")
	if list.text != `{"things":[]}` {
		t.Errorf("an empty list is %s", list.text)
	}
	last := w.ok("GET", "/certificates?isAscendingOrder=true", "").body["certificates"].([]any)
	first := last[0].(map[string]any)
	if first["certificateId"] != id || first["status"] != "INACTIVE" || first["certificateMode"] != "SNI_ONLY" || first["creationDate"].(float64) < 1.7e9 {
		t.Errorf("oldest certificate %v", first)
	}
}

func TestCertificateOperations(t *testing.T) {
	w := newWorld(t)
	a := w.ok("POST", "/keys-and-certificate?setAsActive=true", "")
	if members(a) != "certificateArn certificateId certificatePem keyPair" {
		t.Errorf("created %s", members(a))
	}
	pair := a.body["keyPair"].(map[string]any)
	if !strings.HasPrefix(pair["PublicKey"].(string), "-----BEGIN PUBLIC KEY") || !strings.HasPrefix(pair["PrivateKey"].(string), "-----BEGIN RSA PRIVATE KEY") {
		t.Error("key pair")
	}
	id := a.body["certificateId"].(string)
	d := w.ok("GET", "/certificates/"+id, "").body["certificateDescription"].(map[string]any)
	if d["status"] != "ACTIVE" || d["ownedBy"] != "000000000000" || d["customerVersion"] != 1.0 || d["certificateMode"] != "DEFAULT" ||
		d["certificatePem"] != a.body["certificatePem"] || d["validity"].(map[string]any)["notAfter"] != 2524607999.0 ||
		len(d["transferData"].(map[string]any)) != 0 {
		t.Errorf("described %v", d)
	}
	w.refused(400, "InvalidRequestException", "POST", "/keys-and-certificate?setAsActive=yes", "")
	w.refused(400, "InvalidRequestException", "POST", "/certificates", `{"certificateSigningRequest":"hello"}`)
	w.refused(400, "InvalidRequestException", "POST", "/certificates", "")
	w.refused(400, "CertificateValidationException", "POST", "/certificate/register-no-ca", `{"certificatePem":"hello"}`)
	text := quoted(t, map[string]string{"certificatePem": certificateText(t)})
	w.ok("POST", "/certificate/register-no-ca", text)
	e := w.refused(409, "ResourceAlreadyExistsException", "POST", "/certificate/register-no-ca", text)
	if e.body["resourceId"] == nil || e.body["resourceArn"] == nil {
		t.Errorf("exists: %s", e.text)
	}

	w.refused(406, "CertificateStateException", "DELETE", "/certificates/"+id, "")
	w.refused(400, "InvalidRequestException", "PUT", "/certificates/"+id+"?newStatus=PENDING_TRANSFER", "")
	w.refused(400, "InvalidRequestException", "PUT", "/certificates/"+id, "")
	w.refused(404, "ResourceNotFoundException", "PUT", "/certificates/"+zeros+"?newStatus=ACTIVE", "")
	w.ok("PUT", "/certificates/"+id+"?newStatus=INACTIVE", "")
	w.ok("POST", "/policies/p", document)
	arn := a.body["certificateArn"].(string)
	w.ok("PUT", "/target-policies/p", quoted(t, targetMember{arn}))
	w.refused(409, "DeleteConflictException", "DELETE", "/certificates/"+id, "")
	w.ok("DELETE", "/certificates/"+id+"?forceDelete=true", "")
	w.refused(404, "ResourceNotFoundException", "GET", "/certificates/"+id, "")
	w.refused(400, "InvalidRequestException", "GET", "/certificates/abc", "")
}

func TestPolicyOperations(t *testing.T) {
	w := newWorld(t)
	a := w.ok("POST", "/policies/p", document)
	if members(a) != "policyArn policyDocument policyName policyVersionId" || a.body["policyVersionId"] != "1" {
		t.Errorf("created %s", a.text)
	}
	e := w.refused(409, "ResourceAlreadyExistsException", "POST", "/policies/p", document)
	if e.body["resourceArn"] != a.body["policyArn"] {
		t.Errorf("exists: %s", e.text)
	}
	w.refused(400, "MalformedPolicyException", "POST", "/policies/q", `{"policyDocument":"{}"}`)
	w.refused(400, "MalformedPolicyException", "POST", "/policies/q", `{}`)
	w.ok("POST", "/policies/q", strings.TrimSuffix(document, "}")+`,"tags":[]}`)

	v := w.ok("POST", "/policies/p/version?setAsDefault=true", document)
	if members(v) != "isDefaultVersion policyArn policyDocument policyVersionId" || v.body["isDefaultVersion"] != true || v.body["policyVersionId"] != "2" {
		t.Errorf("version %s", v.text)
	}
	for range 3 {
		w.ok("POST", "/policies/p/version", document)
	}
	w.refused(409, "VersionsLimitExceededException", "POST", "/policies/p/version", document)
	g := w.ok("GET", "/policies/p", "")
	if members(g) != "creationDate defaultVersionId generationId lastModifiedDate policyArn policyDocument policyName" || g.body["defaultVersionId"] != "2" {
		t.Errorf("got %s", g.text)
	}
	l := w.ok("GET", "/policies/p/version", "").body["policyVersions"].([]any)
	if first := l[0].(map[string]any); len(l) != 5 || first["versionId"] != "5" || first["createDate"].(float64) < 1.7e9 || first["isDefaultVersion"] != false {
		t.Errorf("versions %v", l)
	}
	w.ok("PATCH", "/policies/p/version/1", "")
	if g := w.ok("GET", "/policies/p/version/1", ""); g.body["isDefaultVersion"] != true || g.body["policyDocument"] == "" {
		t.Errorf("version 1: %s", g.text)
	}
	w.refused(409, "DeleteConflictException", "DELETE", "/policies/p/version/1", "")
	w.refused(404, "ResourceNotFoundException", "DELETE", "/policies/p/version/9", "")
	w.refused(409, "DeleteConflictException", "DELETE", "/policies/p", "")
	for i := 2; i <= 5; i++ {
		w.ok("DELETE", fmt.Sprintf("/policies/p/version/%d", i), "")
	}
	w.ok("DELETE", "/policies/p", "")
	w.refused(404, "ResourceNotFoundException", "DELETE", "/policies/p", "")
}

func TestAttachments(t *testing.T) {
	w := newWorld(t)
	w.ok("POST", "/things/lamp", "")
	w.ok("POST", "/things/door", "")
	_, arn := w.register("ACTIVE")
	w.refused(400, "InvalidRequestException", "PUT", "/things/lamp/principals", "")
	w.refused(400, "InvalidRequestException", "PUT", "/things/lamp/principals", "", "x-amzn-iot-principal", arn)
	w.refused(404, "ResourceNotFoundException", "PUT", "/things/none/principals", "", principalHeader, arn)
	w.ok("PUT", "/things/lamp/principals?thingPrincipalType=EXCLUSIVE_THING", "", principalHeader, arn)
	w.refused(400, "InvalidRequestException", "PUT", "/things/door/principals", "", principalHeader, arn)
	w.refused(400, "InvalidRequestException", "DELETE", "/things/lamp", "")
	w.ok("DELETE", "/things/lamp/principals", "", principalHeader, arn)
	w.ok("DELETE", "/things/lamp", "")

	for i := range 11 {
		w.ok("POST", fmt.Sprintf("/policies/p%d", i), document)
		if i < 10 {
			w.ok("PUT", fmt.Sprintf("/target-policies/p%d", i), quoted(t, targetMember{arn}))
		}
	}
	w.refused(410, "LimitExceededException", "PUT", "/target-policies/p10", quoted(t, targetMember{arn}))
	w.refused(409, "DeleteConflictException", "DELETE", "/policies/p1", "")
	w.refused(400, "InvalidRequestException", "PUT", "/target-policies/p1", "")
	w.refused(404, "ResourceNotFoundException", "PUT", "/target-policies/p1", `{"target":"arn:aws:iot:us-east-1:000000000000:thinggroup/g"}`)
	w.ok("POST", "/target-policies/p1", quoted(t, targetMember{arn}))
	w.ok("POST", "/target-policies/p1", quoted(t, targetMember{arn}))
	w.ok("DELETE", "/policies/p1", "")
	w.refused(404, "ResourceNotFoundException", "POST", "/attached-policies/arn%3Aaws%3Aiot%3Aus-east-1%3A000000000000%3Acert%2F"+zeros, "")
}

// What is not there is refused by its name.
func TestNotImplemented(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ method, path, says string }{
		{"PATCH", "/dynamic-thing-groups/g", "UpdateDynamicThingGroup"},
		{"PATCH", "/transfer-certificate/" + zeros, "TransferCertificate"},
		{"POST", "/dynamic-thing-groups/g", "CreateDynamicThingGroup"},
		{"PUT", "/things/lamp/jobs/$next", "StartNextPendingJobExecution"},
		{"PUT", "/things/lamp/jobs/%24next", "StartNextPendingJobExecution"},
		{"GET", "/destinations/arn%3Aaws%3A1/a/b", "GetTopicRuleDestination"},
		{"POST", "/indices/search", "SearchIndex"},
		{"GET", "/nothing/at/all", "GET /nothing/at/all"},
		{"PUT", "/things", "PUT /things"},
		{"GET", "/", "GET /"},
	} {
		a := w.refused(501, "NotImplementedException", c.method, c.path, "")
		if want := c.says + " is not implemented by Thingwire; see docs/compatibility.md"; a.message() != want {
			t.Errorf("%s %s: %q", c.method, c.path, a.message())
		}
	}
}

// The table and AWS's list agree in names, methods and paths, and each row's resource can be filled in.
func TestTable(t *testing.T) {
	aws := map[string]operation{}
	for _, op := range absentOperations() {
		aws[op.name] = op
	}
	if len(aws) < 270 {
		t.Errorf("absent.txt has %d operations", len(aws))
	}
	for _, op := range operations() {
		if a := aws[op.name]; a.method != op.method || a.path != op.path {
			t.Errorf("%s is %s %s, AWS has %s %s", op.name, op.method, op.path, a.method, a.path)
		}
		if _, label, ok := strings.Cut(op.resource, "/"); ok && !strings.Contains(op.path, label) {
			t.Errorf("%s: resource %s has a label that %s has not", op.name, op.resource, op.path)
		}
	}
}

func TestRoutes(t *testing.T) {
	rs := newRoutes(operations(), absentOperations())
	for _, c := range []struct{ method, path, name, label, value string }{
		{"GET", "//things/a", "DescribeThing", "thingName", "a"},
		{"GET", "/things/a%2Fb", "DescribeThing", "thingName", "a/b"},
		{"GET", "/things/a%3Ab", "DescribeThing", "thingName", "a:b"},
		{"GET", "/things", "ListThings", "", ""},
		{"GET", "/things/", "DescribeThing", "thingName", ""},
	} {
		op, labels, err := rs.find(c.method, c.path)
		if err != nil || op.name != c.name || labels[c.label] != c.value {
			t.Errorf("%s %s: %v %v %v", c.method, c.path, op, labels, err)
		}
	}
	if _, _, err := rs.find("GET", "/things/%zz"); err == nil {
		t.Error("a broken escape is accepted")
	}
}
