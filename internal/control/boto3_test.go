package control

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/awsapi"
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
    c.create_stream(streamId="s", files=[{"fileId": 1, "s3Location": {"bucket": "b", "key": "k"}}], roleArn="arn:aws:iam::000000000000:role/r")
    raise AssertionError("not refused")
except X.ClientError as e:
    assert e.response["Error"]["Code"] == "NotImplementedException", e.response
    assert "CreateStream" in e.response["Error"]["Message"]
`

// boto3Identity goes on with what boto3Script has begun: types, groups, tests of authorization, CA certificates. Its
// certificates come from openssl.
const boto3Identity = `
import os, subprocess, tempfile

c.create_thing_type(thingTypeName="bulb", thingTypeProperties={"thingTypeDescription": "shines", "searchableAttributes": ["watt"]})
t = c.create_thing(thingName="lamp", thingTypeName="bulb", attributePayload={"attributes": {str(i): "x" for i in range(5)}})
assert c.describe_thing_type(thingTypeName="bulb")["thingTypeMetadata"]["deprecated"] is False
refused(X.InvalidRequestException, c.delete_thing_type, thingTypeName="bulb")
c.deprecate_thing_type(thingTypeName="bulb")
assert c.list_thing_types()["thingTypes"][0]["thingTypeMetadata"]["deprecationDate"].year > 2020
refused(X.ResourceNotFoundException, c.create_thing, thingName="x", thingTypeName="nobody")

house = c.create_thing_group(thingGroupName="house")["thingGroupArn"]
floor = c.create_thing_group(thingGroupName="floor", parentGroupName="house", thingGroupProperties={"thingGroupDescription": "d"})["thingGroupArn"]
assert refused(X.ResourceAlreadyExistsException, c.create_thing_group, thingGroupName="floor")["resourceArn"] == floor
g = c.describe_thing_group(thingGroupName="floor")
assert g["thingGroupMetadata"]["rootToParentThingGroups"] == [{"groupName": "house", "groupArn": house}]
assert g["thingGroupMetadata"]["creationDate"].year > 2020
assert c.update_thing_group(thingGroupName="floor", thingGroupProperties={"attributePayload": {"attributes": {"a": "b"}}})["version"] == 2
refused(X.VersionConflictException, c.update_thing_group, thingGroupName="floor", thingGroupProperties={}, expectedVersion=1)
c.add_thing_to_thing_group(thingGroupName="floor", thingName="lamp")
c.add_thing_to_thing_group(thingGroupArn=floor, thingArn=t["thingArn"])
refused(X.InvalidRequestException, c.add_thing_to_thing_group, thingGroupName="house", thingName="lamp")
assert c.list_thing_groups_for_thing(thingName="lamp")["thingGroups"] == [{"groupName": "floor", "groupArn": floor}]
assert c.list_things_in_thing_group(thingGroupName="house", recursive=True)["things"] == ["lamp"]
assert len(c.list_thing_groups(parentGroup="house")["thingGroups"]) == 1
refused(X.InvalidRequestException, c.delete_thing_group, thingGroupName="house")

k = c.create_keys_and_certificate(setAsActive=True)
arn = k["certificateArn"]
c.attach_thing_principal(thingName="lamp", principal=arn)
c.create_policy(policyName="p", policyDocument=doc)
c.create_policy(policyName="no", policyDocument=doc.replace("Allow", "Deny"))
c.attach_policy(policyName="p", target=house)
assert c.list_targets_for_policy(policyName="p")["targets"] == [house]
assert c.list_attached_policies(target=floor)["policies"] == []
assert c.list_attached_policies(target=floor, recursive=True)["policies"][0]["policyName"] == "p"
assert [p["policyName"] for p in c.get_effective_policies(principal=arn, thingName="lamp")["effectivePolicies"]] == ["p"]
ask = [{"actionType": "CONNECT", "resources": ["arn:aws:iot:us-east-1:000000000000:client/lamp"]}]
def decision(**kw):
    return c.test_authorization(principal=arn, authInfos=ask, **kw)["authResults"][0]
assert decision(clientId="lamp")["authDecision"] == "ALLOWED"
assert decision(clientId="lamp")["allowed"]["policies"][0]["policyName"] == "p"
assert decision(clientId="other")["authDecision"] == "IMPLICIT_DENY"
assert decision(clientId="lamp", policyNamesToSkip=["p"])["authDecision"] == "IMPLICIT_DENY"
r = decision(clientId="lamp", policyNamesToAdd=["no"])
assert r["authDecision"] == "EXPLICIT_DENY" and r["denied"]["explicitDeny"]["policies"][0]["policyName"] == "no", r
refused(X.ResourceNotFoundException, decision, policyNamesToAdd=["nobody"])

os.chdir(tempfile.mkdtemp())
def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)
def read(name):
    return open(name).read()
def authority(name, subject):
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "30",
            "-subj", subject, "-addext", "basicConstraints=critical,CA:TRUE")
def signed(ca, name, subject):
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key", "-CAcreateserial", "-out", name + ".pem", "-days", "9", "-sha256")
    return read(name + ".pem")
authority("ca", "/CN=factory")
authority("twin", "/CN=factory")
code = c.get_registration_code()["registrationCode"]
refused(X.RegistrationCodeValidationException, c.register_ca_certificate, caCertificate=read("ca.pem"), verificationCertificate=signed("ca", "bad", "/CN=x"))
refused(X.CertificateValidationException, c.register_ca_certificate, caCertificate="x", certificateMode="SNI_ONLY")
proof = signed("ca", "proof", "/CN=" + code)
ca = c.register_ca_certificate(caCertificate=read("ca.pem"), verificationCertificate=proof, setAsActive=True, allowAutoRegistration=True)
assert refused(X.ResourceAlreadyExistsException, c.register_ca_certificate, caCertificate=read("ca.pem"), verificationCertificate=proof)["resourceId"] == ca["certificateId"]
d = c.describe_ca_certificate(certificateId=ca["certificateId"])["certificateDescription"]
assert d["autoRegistrationStatus"] == "ENABLE" and d["status"] == "ACTIVE" and d["validity"]["notAfter"].year > 2020
twin = c.register_ca_certificate(caCertificate=read("twin.pem"), certificateMode="SNI_ONLY")
device = signed("ca", "device", "/CN=device")
refused(X.CertificateConflictException, c.register_certificate, certificatePem=device)
refused(X.CertificateValidationException, c.register_certificate, certificatePem=device, caCertificatePem=read("twin.pem"))
r = c.register_certificate(certificatePem=device, caCertificatePem=read("ca.pem"), status="ACTIVE")
assert c.describe_certificate(certificateId=r["certificateId"])["certificateDescription"]["caCertificateId"] == ca["certificateId"]
assert c.list_certificates_by_ca(caCertificateId=ca["certificateId"])["certificates"][0]["certificateId"] == r["certificateId"]
refused(X.CertificateStateException, c.delete_ca_certificate, certificateId=ca["certificateId"])
c.update_ca_certificate(certificateId=ca["certificateId"], newStatus="INACTIVE", newAutoRegistrationStatus="DISABLE")
c.delete_ca_certificate(certificateId=ca["certificateId"])
assert [x["certificateId"] for x in c.list_ca_certificates()["certificates"]] == [twin["certificateId"]]
c.delete_registration_code()
assert c.get_registration_code()["registrationCode"] != code
`

func TestBoto3(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Logf("no boto3 on this machine: %v", err)
		return
	}
	w := newWorld(t)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(awsapi.WithCaller(r.Context(), w.caller)))
	}))
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "python3", "-", server.URL)
	cmd.Stdin = strings.NewReader(boto3Script + boto3Identity)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
