"""One fleet's whole life by each of four operators: boto3 and the aws command, of today and of Debian 12. A thing with its
type and groups, its keys of every origin, a policy through five versions, attachments in both directions, and more than 300
items a page at a time."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness import mosquitto
from harness.certificates import Authority, Files, self_made
from harness.operators import OPERATORS, refusal
from harness.server import arn, policy, statement

MANY = 301


@pytest.fixture(scope="module", params=OPERATORS)
def call(request, server):
    operator = OPERATORS[request.param](server)
    yield operator.call
    operator.close()


def document(i):
    return json.dumps(policy({**statement("Allow", "iot:*", "*"), "Sid": "v{}".format(i)}))


def test_a_thing_its_type_and_its_groups(call, unique):
    bulb, house, north, lamp = (unique(name) for name in ("bulb", "house", "north", "lamp"))
    call("create_thing_type", thingTypeName=bulb, thingTypeProperties={"thingTypeDescription": "shines"}, tags=[{"Key": "k", "Value": "v"}])
    call("create_thing_group", thingGroupName=house)
    call("create_billing_group", billingGroupName=north)
    made = call(
        "create_thing", thingName=lamp, thingTypeName=bulb, billingGroupName=north, attributePayload={"attributes": {"floor": "1"}}
    )
    assert made["thingArn"] == arn("thing/" + lamp)
    with refusal("ResourceAlreadyExistsException", lamp):
        call("create_thing", thingName=lamp)
    call("update_thing", thingName=lamp, attributePayload={"attributes": {"floor": "2"}}, expectedVersion=1)
    described = call("describe_thing", thingName=lamp)
    assert (described["version"], described["attributes"], described["thingTypeName"], described["billingGroupName"]) == (
        2, {"floor": "2"}, bulb, north,
    )  # fmt: skip
    assert [t["thingName"] for t in call("list_things", attributeName="floor", attributeValue="2", thingTypeName=bulb)["things"]] == [lamp]
    call("add_thing_to_thing_group", thingGroupName=house, thingName=lamp)
    assert call("list_things_in_thing_group", thingGroupName=house)["things"] == [lamp]
    assert [g["groupName"] for g in call("list_thing_groups_for_thing", thingName=lamp)["thingGroups"]] == [house]
    assert call("list_tags_for_resource", resourceArn=arn("thingtype/" + bulb))["tags"] == [{"Key": "k", "Value": "v"}]
    with refusal("VersionConflictException", "version 2"):
        call("delete_thing", thingName=lamp, expectedVersion=1)
    call("delete_thing", thingName=lamp)
    with refusal("ResourceNotFoundException", lamp):
        call("describe_thing", thingName=lamp)
    call("delete_thing_group", thingGroupName=house)
    call("delete_billing_group", billingGroupName=north)
    call("deprecate_thing_type", thingTypeName=bulb)
    with refusal("InvalidRequestException", "5 minutes"):
        call("delete_thing_type", thingTypeName=bulb)


def test_keys_of_every_origin(call, server, unique, tmp_path):
    """Made by the server, from a CSR, registered without a CA: each publishes with mosquitto's client, until it may not."""
    lamp, root = unique("lamp"), server.ca
    call("create_policy", policyName=lamp, policyDocument=document(1))
    made = call("create_keys_and_certificate", setAsActive=True)
    (tmp_path / "made.pem").write_text(made["certificatePem"])
    (tmp_path / "made.key").write_text(made["keyPair"]["PrivateKey"])
    keys = {made["certificateArn"]: Files(str(tmp_path / "made.pem"), str(tmp_path / "made.key"), root, made["certificateId"])}

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, lamp)])
    csr = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    text = csr.public_bytes(serialization.Encoding.PEM).decode()
    made = call("create_certificate_from_csr", certificateSigningRequest=text, setAsActive=True)
    (tmp_path / "csr.pem").write_text(made["certificatePem"])
    form = serialization.PrivateFormat.PKCS8
    (tmp_path / "csr.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    keys[made["certificateArn"]] = Files(str(tmp_path / "csr.pem"), str(tmp_path / "csr.key"), root, made["certificateId"])

    own, pem = self_made(tmp_path, root, -1, 1)
    made = call("register_certificate_without_ca", certificatePem=pem, status="ACTIVE")
    keys[made["certificateArn"]] = own
    with refusal("ResourceAlreadyExistsException"):
        call("register_certificate_without_ca", certificatePem=pem)

    for certificate, files in keys.items():
        call("attach_policy", policyName=lamp, target=certificate)
        mosquitto.publish(server, files, "a", "x", client_id=lamp)
    assert sorted(call("list_targets_for_policy", policyName=lamp)["targets"]) == sorted(keys)
    for certificate, files in keys.items():
        certificate_id = certificate.rpartition("/")[2]
        with refusal("CertificateStateException"):
            call("delete_certificate", certificateId=certificate_id)
        call("update_certificate", certificateId=certificate_id, newStatus="REVOKED")
        assert mosquitto.publish(server, files, "a", "x", client_id=lamp, check=False).child.returncode != 0
        call("detach_policy", policyName=lamp, target=certificate)
        call("delete_certificate", certificateId=certificate_id)


def test_keys_under_an_own_ca(call, server, unique, tmp_path):
    """The CA is registered with the proof that it is ours. One of its certificates is registered by hand, another one by its
    first connection."""
    factory, lamp = Authority(unique("factory")), unique("lamp")
    code = call("get_registration_code")["registrationCode"]
    wrong, _ = factory.issue("wrong", tmp_path, server.ca)
    with refusal("RegistrationCodeValidationException", "get-registration-code"):
        call("register_ca_certificate", caCertificate=factory.pem, verificationCertificate=wrong)
    proof, _ = factory.issue(code, tmp_path, server.ca)
    registered = {"caCertificate": factory.pem, "verificationCertificate": proof, "setAsActive": True, "allowAutoRegistration": True}
    ca = call("register_ca_certificate", **registered)["certificateId"]
    call("create_policy", policyName=lamp, policyDocument=document(1))

    pem, device = factory.issue("by-hand", tmp_path, server.ca)
    by_hand = call("register_certificate", certificatePem=pem, caCertificatePem=factory.pem, status="ACTIVE")["certificateArn"]
    call("attach_policy", policyName=lamp, target=by_hand)
    mosquitto.publish(server, device, "a", "x", client_id=lamp)

    _, device = factory.issue("just-in-time", tmp_path, server.ca)
    assert mosquitto.publish(server, device, "a", "x", client_id=lamp, check=False).child.returncode != 0
    issued = {c["certificateArn"]: c["status"] for c in call("list_certificates_by_ca", caCertificateId=ca)["certificates"]}
    in_time = arn("cert/" + device.certificate_id)
    assert issued == {by_hand: "ACTIVE", in_time: "PENDING_ACTIVATION"}
    call("update_certificate", certificateId=device.certificate_id, newStatus="ACTIVE")
    call("attach_policy", policyName=lamp, target=in_time)
    mosquitto.publish(server, device, "a", "x", client_id=lamp)

    with refusal("CertificateStateException"):
        call("delete_ca_certificate", certificateId=ca)
    call("update_ca_certificate", certificateId=ca, newStatus="INACTIVE", newAutoRegistrationStatus="DISABLE")
    described = call("describe_ca_certificate", certificateId=ca)["certificateDescription"]
    assert (described["status"], described["autoRegistrationStatus"]) == ("INACTIVE", "DISABLE")
    call("delete_ca_certificate", certificateId=ca)
    mosquitto.publish(server, device, "a", "x", client_id=lamp)  # what it introduced stays


def test_a_policy_through_five_versions_and_its_attachments(call, server, unique, tmp_path):
    name, lamp, house = unique("policy"), unique("lamp"), unique("house")
    _, pem = self_made(tmp_path, server.ca, -1, 1)
    certificate = call("register_certificate_without_ca", certificatePem=pem, status="ACTIVE")["certificateArn"]
    call("create_policy", policyName=name, policyDocument=document(1))
    for i in range(2, 6):
        made = call("create_policy_version", policyName=name, policyDocument=document(i), setAsDefault=i == 4)
        assert (made["policyVersionId"], made["isDefaultVersion"]) == (str(i), i == 4)
    with refusal("VersionsLimitExceededException"):
        call("create_policy_version", policyName=name, policyDocument=document(6))
    listed = call("list_policy_versions", policyName=name)["policyVersions"]
    assert [(v["versionId"], v["isDefaultVersion"]) for v in listed] == [(str(i), i == 4) for i in (5, 4, 3, 2, 1)]
    assert call("get_policy", policyName=name)["policyDocument"] == document(4)
    assert call("get_policy_version", policyName=name, policyVersionId="2")["policyDocument"] == document(2)

    group = call("create_thing_group", thingGroupName=house)["thingGroupArn"]
    call("create_thing", thingName=lamp)
    for target in (certificate, group):
        call("attach_policy", policyName=name, target=target)
        assert [p["policyName"] for p in call("list_attached_policies", target=target)["policies"]] == [name]
    call("attach_thing_principal", thingName=lamp, principal=certificate)
    assert sorted(call("list_targets_for_policy", policyName=name)["targets"]) == sorted([certificate, group])
    assert call("list_principal_policies", principal=certificate)["policies"][0]["policyName"] == name
    assert call("list_policy_principals", policyName=name)["principals"] == [certificate]
    assert call("list_thing_principals", thingName=lamp)["principals"] == [certificate]
    assert call("list_principal_things", principal=certificate)["things"] == [lamp]
    with refusal("DeleteConflictException"):
        call("delete_policy_version", policyName=name, policyVersionId="4")
    call("set_default_policy_version", policyName=name, policyVersionId="5")
    for i in range(1, 5):
        call("delete_policy_version", policyName=name, policyVersionId=str(i))
    with refusal("DeleteConflictException", "attached"):
        call("delete_policy", policyName=name)
    for target in (certificate, group):
        call("detach_policy", policyName=name, target=target)
    call("detach_thing_principal", thingName=lamp, principal=certificate)
    call("delete_policy", policyName=name)
    assert call("list_attached_policies", target=certificate)["policies"] == []


@pytest.fixture(scope="module")
def many(server):
    names = ["many-{:03}".format(i) for i in range(MANY)]
    for name in names:
        server.admin("POST", "/things/" + name, {})
        server.admin("POST", "/policies/" + name, {"policyDocument": document(1)})
    return names


@pytest.mark.parametrize(
    "operation, token, following, size, member, item",
    [
        ("list_things", "nextToken", "nextToken", "maxResults", "things", "thingName"),
        ("list_policies", "marker", "nextMarker", "pageSize", "policies", "policyName"),
    ],
)
def test_every_token(call, many, operation, token, following, size, member, item):
    """Each token gives the page behind it, and together they give everything once."""
    got, begin = [], {}
    while True:
        page = call(operation, **{size: 100}, **begin)
        assert 0 < len(page[member]) <= 100
        got += [entry[item] for entry in page[member]]
        if not page.get(following):
            break
        begin = {token: page[following]}
    assert len(got) == len(set(got)) and set(got) >= set(many)
    with refusal("InvalidRequestException", "was not given by"):
        call(operation, **{token: "x" * 20})
