package control

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

// An unmodified boto3 does everything the table has. The script is its own specification: it fails where an answer does
// not have the members of AWS's model, or an error is not the modelled exception.
const boto3Script = `
import sys, boto3, botocore.config
c = boto3.client("iot", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
                 config=botocore.config.Config(retries={"max_attempts": 1}))
X = c.exceptions
doc = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'

def refused(exception, f, **kw):
    try:
        f(**kw)
    except exception as e:
        return e.response
    raise AssertionError("not refused")

assert c.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == "127.0.0.1"
t = c.create_thing(thingName="a:b_c", attributePayload={"attributes": {"k": "v"}})
assert refused(X.ResourceAlreadyExistsException, c.create_thing, thingName="a:b_c")["resourceArn"] == t["thingArn"]
c.update_thing(thingName="a:b_c", expectedVersion=1, attributePayload={"attributes": {"l": "w"}, "merge": True})
assert c.describe_thing(thingName="a:b_c")["attributes"] == {"k": "v", "l": "w"}
refused(X.VersionConflictException, c.update_thing, thingName="a:b_c", expectedVersion=1)
for i in range(5):
    c.create_thing(thingName="t%d" % i)
pages = c.get_paginator("list_things").paginate(PaginationConfig={"PageSize": 2})
assert len([x for p in pages for x in p["things"]]) == 6

k = c.create_keys_and_certificate(setAsActive=True)
assert k["keyPair"]["PrivateKey"] and k["keyPair"]["PublicKey"]
d = c.describe_certificate(certificateId=k["certificateId"])["certificateDescription"]
assert d["validity"]["notAfter"].year in (2049, 2050) and d["status"] == "ACTIVE" and d["creationDate"].year > 2020
refused(X.CertificateValidationException, c.register_certificate_without_ca, certificatePem="x")

c.create_policy(policyName="p=1,2@x", policyDocument=doc)
refused(X.MalformedPolicyException, c.create_policy, policyName="q", policyDocument="{")
c.create_policy_version(policyName="p=1,2@x", policyDocument=doc, setAsDefault=True)
assert [v["versionId"] for v in c.list_policy_versions(policyName="p=1,2@x")["policyVersions"]] == ["2", "1"]
c.set_default_policy_version(policyName="p=1,2@x", policyVersionId="1")
c.delete_policy_version(policyName="p=1,2@x", policyVersionId="2")
assert c.get_policy_version(policyName="p=1,2@x", policyVersionId="1")["policyDocument"] == doc
assert c.get_policy(policyName="p=1,2@x")["lastModifiedDate"].year > 2020
arn = k["certificateArn"]
c.attach_policy(policyName="p=1,2@x", target=arn)
c.attach_thing_principal(thingName="a:b_c", principal=arn)
assert c.list_attached_policies(target=arn)["policies"][0]["policyName"] == "p=1,2@x"
assert c.list_targets_for_policy(policyName="p=1,2@x")["targets"] == [arn]
assert c.list_thing_principals(thingName="a:b_c")["principals"] == [arn]
assert c.list_principal_things(principal=arn)["things"] == ["a:b_c"]
refused(X.DeleteConflictException, c.delete_policy, policyName="p=1,2@x")
refused(X.CertificateStateException, c.delete_certificate, certificateId=k["certificateId"])
refused(X.InvalidRequestException, c.delete_thing, thingName="a:b_c")
c.detach_thing_principal(thingName="a:b_c", principal=arn)
c.detach_policy(policyName="p=1,2@x", target=arn)
c.update_certificate(certificateId=k["certificateId"], newStatus="INACTIVE")
assert len(c.list_certificates(ascendingOrder=True)["certificates"]) == 1
c.delete_certificate(certificateId=k["certificateId"])
c.delete_policy(policyName="p=1,2@x")
assert c.list_policies()["policies"] == []
c.delete_thing(thingName="a:b_c")
refused(X.ResourceNotFoundException, c.describe_thing, thingName="a:b_c")
try:
    c.create_thing_type(thingTypeName="bulb")
    raise AssertionError("not refused")
except X.ClientError as e:
    assert e.response["Error"]["Code"] == "NotImplementedException", e.response
    assert "CreateThingType" in e.response["Error"]["Message"]
`

func TestBoto3(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Logf("no boto3 on this machine: %v", err)
		return
	}
	w := newWorld(t)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(WithCaller(r.Context(), w.caller)))
	}))
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "python3", "-", server.URL)
	cmd.Stdin = strings.NewReader(boto3Script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
