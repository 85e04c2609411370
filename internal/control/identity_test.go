package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// authority signs certificates as a customer's own CA does.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	text string
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: name}}
	a.text = a.sign(name, true)
	block, _ := pem.Decode([]byte(a.text))
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(name string, isCA bool) string {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: isCA,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, a.cert, a.key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestCACertificateOperations(t *testing.T) {
	w := newWorld(t)
	code := w.ok("GET", "/registrationcode", "").body["registrationCode"].(string)
	mine := newAuthority(t, "mine")
	body := func(verification string) string {
		return quoted(t, map[string]string{"caCertificate": mine.text, "verificationCertificate": verification})
	}
	w.refused(400, "RegistrationCodeValidationException", "POST", "/cacertificate", body(mine.sign("x", false)))
	w.refused(400, "CertificateValidationException", "POST", "/cacertificate", body(newAuthority(t, "other").sign(code, false)))
	w.refused(400, "CertificateValidationException", "POST", "/cacertificate", "{}")
	w.refused(501, "NotImplementedException", "POST", "/cacertificate", `{"caCertificate":"x","registrationConfig":{"templateName":"t"}}`)
	a := w.ok("POST", "/cacertificate?setAsActive=true&allowAutoRegistration=true", body(mine.sign(code, false)))
	id := a.body["certificateId"].(string)
	if members(a) != "certificateArn certificateId" || a.body["certificateArn"] != "arn:aws:iot:us-east-1:000000000000:cacert/"+id {
		t.Errorf("registered %s", a.text)
	}
	if e := w.refused(409, "ResourceAlreadyExistsException", "POST", "/cacertificate", body(mine.sign(code, false))); e.body["resourceId"] != id {
		t.Errorf("exists: %s", e.text)
	}
	d := w.ok("GET", "/cacertificate/"+id, "").body["certificateDescription"].(map[string]any)
	for member, want := range map[string]any{
		"status": "ACTIVE", "autoRegistrationStatus": "ENABLE", "certificateMode": "DEFAULT", "customerVersion": 1.0,
		"ownedBy": "000000000000", "certificatePem": mine.text, "certificateId": id,
	} {
		if d[member] != want {
			t.Errorf("%s is %v, want %v", member, d[member], want)
		}
	}
	if list := w.ok("GET", "/cacertificates?pageSize=5&isAscendingOrder=true", "").body["certificates"].([]any); len(list) != 1 {
		t.Errorf("listed %v", list)
	}
	w.issued(mine, id)
	w.ok("PUT", "/cacertificate/"+id+"?newAutoRegistrationStatus=DISABLE", "{}")
	w.ok("PUT", "/cacertificate/"+id, `{"removeAutoRegistration":true}`)
	w.refused(400, "InvalidRequestException", "PUT", "/cacertificate/"+id+"?newAutoRegistrationStatus=PERHAPS", "{}")
	w.refused(400, "InvalidRequestException", "PUT", "/cacertificate/"+id+"?newAutoRegistrationStatus=ENABLE", `{"removeAutoRegistration":true}`)
	w.refused(501, "NotImplementedException", "PUT", "/cacertificate/"+id, `{"registrationConfig":{"templateBody":"{}"}}`)
	w.refused(406, "CertificateStateException", "DELETE", "/cacertificate/"+id, "")
	w.ok("PUT", "/cacertificate/"+id+"?newStatus=INACTIVE", "{}")
	w.ok("DELETE", "/cacertificate/"+id, "")
	w.refused(404, "ResourceNotFoundException", "GET", "/cacertificate/"+id, "")
	w.refused(501, "NotImplementedException", "GET", "/cacertificates?templateName=t", "")
	w.ok("DELETE", "/registrationcode", "")
	if again := w.ok("GET", "/registrationcode", "").body["registrationCode"]; again == code || len(again.(string)) != 64 {
		t.Errorf("code %v", again)
	}
}

// issued registers certificates of a registered CA.
func (w *world) issued(mine *authority, caID string) {
	w.t.Helper()
	device := quoted(w.t, map[string]string{"certificatePem": mine.sign("device", false)})
	w.refused(400, "CertificateValidationException", "POST", "/certificate/register", quoted(w.t, map[string]string{"certificatePem": certificateText(w.t)}))
	a := w.ok("POST", "/certificate/register?setAsActive=true", device)
	w.refused(409, "ResourceAlreadyExistsException", "POST", "/certificate/register", device)
	d := w.ok("GET", "/certificates/"+a.body["certificateId"].(string), "").body["certificateDescription"].(map[string]any)
	if d["caCertificateId"] != caID || d["status"] != "ACTIVE" || d["certificateMode"] != "DEFAULT" {
		w.t.Errorf("device certificate %v", d)
	}
	if list := w.ok("GET", "/certificates-by-ca/"+caID, "").body["certificates"].([]any); len(list) != 1 {
		w.t.Errorf("by CA: %v", list)
	}
	twin := newAuthority(w.t, "mine")
	w.ok("POST", "/cacertificate", quoted(w.t, map[string]string{"caCertificate": twin.text, "certificateMode": "SNI_ONLY"}))
	another := map[string]string{"certificatePem": mine.sign("another", false), "status": "INACTIVE"}
	w.refused(409, "CertificateConflictException", "POST", "/certificate/register", quoted(w.t, another))
	another["caCertificatePem"] = mine.text
	w.ok("POST", "/certificate/register", quoted(w.t, another))
}

func TestThingTypeOperations(t *testing.T) {
	w := newWorld(t)
	const create = `{"thingTypeProperties":{"thingTypeDescription":"shines","searchableAttributes":["watt"]}}`
	a := w.ok("POST", "/thing-types/bulb", create)
	if members(a) != "thingTypeArn thingTypeId thingTypeName" || w.ok("POST", "/thing-types/bulb", create).text != a.text {
		t.Errorf("created %s", a.text)
	}
	w.refused(409, "ResourceAlreadyExistsException", "POST", "/thing-types/bulb", "{}")
	w.refused(501, "NotImplementedException", "POST", "/thing-types/b",
		`{"thingTypeProperties":{"mqtt5Configuration":{"propagatingAttributes":[{"userPropertyKey":"k","thingAttribute":"watt"}]}}}`)
	w.ok("POST", "/things/lamp", `{"thingTypeName":"bulb","attributePayload":{"attributes":{"a":"1","b":"2","c":"3","d":"4"}}}`)
	if got := w.ok("GET", "/things/lamp", "").body["thingTypeName"]; got != "bulb" {
		t.Errorf("type %v", got)
	}
	if list := w.ok("GET", "/things?thingTypeName=bulb", "").body["things"].([]any); len(list) != 1 {
		t.Errorf("things of the type: %v", list)
	}
	d := w.ok("GET", "/thing-types/bulb", "")
	if members(d) != "thingTypeArn thingTypeId thingTypeMetadata thingTypeName thingTypeProperties" {
		t.Errorf("described %s", d.text)
	}
	w.refused(400, "InvalidRequestException", "DELETE", "/thing-types/bulb", "")
	w.ok("POST", "/thing-types/bulb/deprecate", "{}")
	meta := w.ok("GET", "/thing-types/bulb", "").body["thingTypeMetadata"].(map[string]any)
	if date, _ := meta["deprecationDate"].(float64); meta["deprecated"] != true || date < 1.7e9 {
		t.Errorf("metadata %v", meta)
	}
	w.refused(400, "InvalidRequestException", "POST", "/things/door", `{"thingTypeName":"bulb"}`)
	w.ok("POST", "/thing-types/bulb/deprecate", `{"undoDeprecate":true}`)
	w.refused(400, "InvalidRequestException", "GET", "/thing-types?thingTypeName=a%20b", "")
	if list := w.ok("GET", "/thing-types?thingTypeName=bulb", "").body["thingTypes"].([]any); len(list) != 1 {
		t.Errorf("listed %v", list)
	}
	w.ok("PATCH", "/things/lamp", `{"removeThingType":true,"attributePayload":{"attributes":{}}}`)
	w.refused(404, "ResourceNotFoundException", "GET", "/thing-types/nobody", "")
}

func TestThingGroupOperations(t *testing.T) {
	w := newWorld(t)
	a := w.ok("POST", "/thing-groups/house", "{}")
	if members(a) != "thingGroupArn thingGroupId thingGroupName" {
		t.Errorf("created %s", a.text)
	}
	w.ok("POST", "/thing-groups/floor", `{"parentGroupName":"house","thingGroupProperties":{"thingGroupDescription":"one","attributePayload":{"attributes":{"n":"1"}}}}`)
	w.refused(409, "ResourceAlreadyExistsException", "POST", "/thing-groups/floor", "{}")
	w.refused(400, "InvalidRequestException", "POST", "/thing-groups/x", `{"parentGroupName":"nobody"}`)
	d := w.ok("GET", "/thing-groups/floor", "")
	delete(d.body["thingGroupMetadata"].(map[string]any), "creationDate")
	const arn = "arn:aws:iot:us-east-1:000000000000:thinggroup/"
	want := map[string]any{
		"thingGroupName": "floor", "thingGroupArn": arn + "floor", "thingGroupId": d.body["thingGroupId"], "version": 1.0,
		"thingGroupProperties": map[string]any{"thingGroupDescription": "one", "attributePayload": map[string]any{"attributes": map[string]any{"n": "1"}}},
		"thingGroupMetadata": map[string]any{
			"parentGroupName": "house", "rootToParentThingGroups": []any{map[string]any{"groupName": "house", "groupArn": arn + "house"}},
		},
	}
	if diff := cmp.Diff(want, d.body); diff != "" {
		t.Error(diff)
	}
	u := w.ok("PATCH", "/thing-groups/floor", `{"thingGroupProperties":{"thingGroupDescription":"two"},"expectedVersion":1}`)
	if u.text != `{"version":2}` {
		t.Errorf("updated: %s", u.text)
	}
	w.refused(400, "InvalidRequestException", "PATCH", "/thing-groups/floor", "{}")
	w.refused(409, "VersionConflictException", "PATCH", "/thing-groups/floor", `{"thingGroupProperties":{},"expectedVersion":1}`)
	w.members(arn)
	w.refused(400, "InvalidRequestException", "DELETE", "/thing-groups/house", "")
	w.refused(409, "VersionConflictException", "DELETE", "/thing-groups/floor?expectedVersion=9", "")
	w.ok("DELETE", "/thing-groups/floor?expectedVersion=2", "")
	w.ok("DELETE", "/thing-groups/floor", "")
	w.refused(404, "ResourceNotFoundException", "GET", "/thing-groups/floor", "")
}

// members adds things to groups and lists them. The groups house and floor are there.
func (w *world) members(arn string) {
	const add, remove = "/thing-groups/addThingToThingGroup", "/thing-groups/removeThingFromThingGroup"
	for i := range 5 {
		w.ok("POST", fmt.Sprint("/things/t", i), "")
		w.ok("PUT", add, fmt.Sprintf(`{"thingGroupName":"floor","thingName":"t%d","overrideDynamicGroups":false}`, i))
	}
	w.ok("PUT", add, `{"thingGroupArn":"`+arn+`floor","thingArn":"arn:aws:iot:us-east-1:000000000000:thing/t0"}`)
	for _, bad := range []string{
		`{}`, `{"thingName":"t0"}`, `{"thingGroupName":"floor"}`, `{"thingGroupName":"floor","thingArn":"t0"}`,
		`{"thingGroupName":"house","thingGroupArn":"` + arn + `floor","thingName":"t0"}`, `{"thingGroupName":"house","thingName":"t0"}`,
	} {
		w.refused(400, "InvalidRequestException", "PUT", add, bad)
	}
	w.refused(404, "ResourceNotFoundException", "PUT", add, `{"thingGroupName":"nobody","thingName":"t0"}`)
	w.refused(404, "ResourceNotFoundException", "PUT", remove, `{"thingGroupName":"floor","thingName":"nobody"}`)
	for _, c := range []struct {
		path, list string
		want       int
	}{
		{"/thing-groups/floor/things", "things", 5},
		{"/thing-groups/house/things", "things", 0},
		{"/things/t1/thing-groups", "thingGroups", 1},
		{"/thing-groups", "thingGroups", 2},
	} {
		if got := w.pages("GET", c.path, "maxResults", "nextToken", "nextToken", c.list, 2); len(got) != c.want {
			w.t.Errorf("%s: %v", c.path, got)
		}
	}
	if got := w.ok("GET", "/thing-groups/house/things?recursive=true", "").body["things"].([]any); len(got) != 5 {
		w.t.Errorf("below house: %v", got)
	}
	if got := w.ok("GET", "/thing-groups?parentGroup=house&recursive=true&namePrefixFilter=f", "").body["thingGroups"].([]any); len(got) != 1 {
		w.t.Errorf("groups below house: %v", got)
	}
	w.refused(404, "ResourceNotFoundException", "GET", "/thing-groups?parentGroup=nobody", "")
	w.ok("PUT", remove, `{"thingGroupName":"floor","thingName":"t0"}`)
	if got := w.ok("GET", "/things/t0/thing-groups", "").text; got != `{"thingGroups":[]}` {
		w.t.Errorf("groups of t0: %s", got)
	}
}

func TestGroupsAsTargets(t *testing.T) {
	w := newWorld(t)
	const group = "arn:aws:iot:us-east-1:000000000000:thinggroup/"
	w.ok("POST", "/thing-groups/house", "{}")
	w.ok("POST", "/thing-groups/floor", `{"parentGroupName":"house"}`)
	w.ok("POST", "/policies/p", document)
	w.ok("PUT", "/target-policies/p", quoted(t, targetMember{group + "house"}))
	attached := "/attached-policies/" + url.PathEscape(group+"floor")
	if got := w.ok("POST", attached, "").body["policies"].([]any); len(got) != 0 {
		t.Errorf("attached %v", got)
	}
	if got := w.ok("POST", attached+"?recursive=true", "").body["policies"].([]any); len(got) != 1 {
		t.Errorf("attached above %v", got)
	}
	if got := w.ok("POST", "/policy-targets/p", "").body["targets"].([]any); len(got) != 1 || got[0] != group+"house" {
		t.Errorf("targets %v", got)
	}
	w.refused(409, "DeleteConflictException", "DELETE", "/policies/p", "")
	w.ok("POST", "/target-policies/p", quoted(t, targetMember{group + "house"}))
	w.ok("DELETE", "/policies/p", "")
}

func TestAuthorizationOperations(t *testing.T) {
	w := newWorld(t)
	_, arn := w.register("ACTIVE")
	w.ok("POST", "/policies/p", document)
	w.ok("POST", "/policies/no", strings.Replace(document, "Allow", "Deny", 1))
	w.ok("PUT", "/target-policies/p", quoted(t, targetMember{arn}))
	ask := func(more string) string {
		return `{"principal":"` + arn + `","authInfos":[{"actionType":"PUBLISH","resources":["arn:aws:iot:us-east-1:000000000000:topic/a"]}]` + more + `}`
	}
	p := map[string]any{"policyName": "p", "policyArn": "arn:aws:iot:us-east-1:000000000000:policy/p"}
	no := map[string]any{"policyName": "no", "policyArn": "arn:aws:iot:us-east-1:000000000000:policy/no"}
	list := func(l ...any) map[string]any { return map[string]any{"policies": append([]any{}, l...)} }
	for _, c := range []struct {
		more, decision    string
		allow, deny, none map[string]any
	}{
		{"", "ALLOWED", list(p), list(), list()},
		{`,"policyNamesToAdd":["no"]`, "EXPLICIT_DENY", list(p), list(no), list()},
		{`,"policyNamesToSkip":["p"]`, "IMPLICIT_DENY", list(), list(), list()},
	} {
		got := w.ok("POST", "/test-authorization?clientId=lamp", ask(c.more)).body["authResults"].([]any)
		want := map[string]any{
			"authInfo":     map[string]any{"actionType": "PUBLISH", "resources": []any{"arn:aws:iot:us-east-1:000000000000:topic/a"}},
			"allowed":      c.allow,
			"denied":       map[string]any{"implicitDeny": c.none, "explicitDeny": c.deny},
			"authDecision": c.decision, "missingContextValues": []any{},
		}
		if diff := cmp.Diff([]any{want}, got); diff != "" {
			t.Errorf("%s: %s", c.more, diff)
		}
	}
	for _, bad := range []string{
		`{}`, `{"authInfos":[]}`, `{"authInfos":[{"actionType":"PUBLISH","resources":[]}]}`, `{"authInfos":[{"actionType":"DANCE","resources":["a"]}]}`,
		`{"authInfos":[` + strings.Repeat(`{"actionType":"PUBLISH","resources":["a"]},`, 10) + `{"actionType":"PUBLISH","resources":["a"]}]}`,
		`{"authInfos":[{"actionType":"PUBLISH","resources":["` + strings.Repeat("a", 2049) + `"]}]}`,
	} {
		w.refused(400, "InvalidRequestException", "POST", "/test-authorization", bad)
	}
	w.refused(404, "ResourceNotFoundException", "POST", "/test-authorization", ask(`,"policyNamesToAdd":["nobody"]`))
	w.refused(400, "InvalidRequestException", "POST", "/test-authorization", ask(`,"policyNamesToSkip":["a b"]`))
	w.refused(501, "NotImplementedException", "POST", "/test-authorization", ask(`,"cognitoIdentityPoolId":"x"`))
	e := w.ok("POST", "/effective-policies", `{"principal":"`+arn+`"}`).body["effectivePolicies"].([]any)
	if len(e) != 1 || e[0].(map[string]any)["policyName"] != "p" || e[0].(map[string]any)["policyDocument"] == "" {
		t.Errorf("effective %v", e)
	}
	w.refused(404, "ResourceNotFoundException", "POST", "/effective-policies?thingName=nobody", "{}")
	w.refused(400, "InvalidRequestException", "POST", "/effective-policies", "{}")
}
