"""Every member of every operation of the control plane, too long, outside its pattern, over its bound, of another type: boto3
checks none of that, so the server has to. The members and their rules come from the SDK's own model."""

import json

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.certificates import Authority, self_made
from harness.server import arn, policy, statement
from test_control_plane_errors import ERRORS

DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))
# What answers something else than InvalidRequestException, because AWS has another class for it, or because it is absent.
OTHERS = {
    "policyDocument": "MalformedPolicyException",
    "certificatePem": "CertificateValidationException",
    "caCertificatePem": "CertificateValidationException",
    "caCertificate": "CertificateValidationException",
    "verificationCertificate": "CertificateValidationException",
    "cognitoIdentityPoolId": "NotImplementedException",
    "registrationConfig": "NotImplementedException",
    "mqtt5Configuration": "NotImplementedException",
    "templateName": "NotImplementedException",
}
ANYTHING = "[\\s\\S]*"
CREATES = ("create_thing", "create_thing_type", "create_thing_group", "create_billing_group", "create_policy")
# What has no meaning here: there are no dynamic groups to override, and no answer depends on these.
IGNORED = {"overrideDynamicGroups"}


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot", parameter_validation=False)


@pytest.fixture(scope="module")
def valid(iot, server, tmp_path_factory):
    """A good value for each member that some operation requires, and for the parts of structures."""
    folder, factory = tmp_path_factory.mktemp("valid"), Authority("factory")
    _, pem = self_made(folder, server.ca, -1, 1)
    certificate = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")
    iot.create_thing(thingName="lamp")
    iot.create_thing_type(thingTypeName="bulb")
    iot.create_thing_group(thingGroupName="house")
    iot.create_billing_group(billingGroupName="north")
    iot.create_policy(policyName="p", policyDocument=DOCUMENT)
    return {
        "thingName": "lamp", "thingTypeName": "bulb", "thingGroupName": "house", "billingGroupName": "north", "policyName": "p",
        "policyVersionId": "1", "policyDocument": DOCUMENT, "principal": certificate["certificateArn"],
        "target": certificate["certificateArn"], "certificateId": certificate["certificateId"], "newStatus": "ACTIVE",
        "caCertificateId": "0" * 64, "certificatePem": factory.issue("device", folder, server.ca)[0], "caCertificate": factory.pem,
        "certificateSigningRequest": "-", "thingGroupProperties": {}, "billingGroupProperties": {},
        "authInfos": [{"actionType": "CONNECT", "resources": [arn("client/lamp")]}], "resources": [arn("client/lamp")],
        "resourceArn": arn("policy/p"), "tags": [{"Key": "k", "Value": "v"}], "tagKeys": ["k"], "Key": "k", "attributeName": "a",
        "attributeValue": "b",
    }  # fmt: skip


def bad_scalars(shape):
    rules = shape.metadata
    if shape.type_name == "string":
        yield "another type", 7
        if "max" in rules:
            yield "too long", "x" * (rules["max"] + 1)
        if rules.get("pattern", ANYTHING) != ANYTHING:  # no other pattern has control characters
            yield "outside its pattern", "\x07" * max(1, rules.get("min", 1))
        if shape.enum:
            yield "outside its values", "NONSENSE"
    if shape.type_name in ("integer", "long"):
        yield "another type", "seven"
        if "max" in rules:
            yield "over its bound", rules["max"] + 1
        if "min" in rules:
            yield "under its bound", rules["min"] - 1
    if shape.type_name == "boolean":
        yield "another type", "perhaps"


def bad_values(shape, valid, name):
    """(what is wrong, a value with that one fault in it) for a member and all that is in it."""
    if shape.type_name == "structure":
        needed = {required: valid[required] for required in shape.required_members}
        for part, inner in shape.members.items():
            for fault, value in bad_values(inner, valid, part):
                yield "{}.{}".format(part, fault), {**needed, part: value}
    elif shape.type_name == "list":
        for fault, value in bad_values(shape.member, valid, name):
            yield "[]" + fault, [value]
    elif shape.type_name == "map":
        for fault, key in bad_scalars(shape.key):
            if isinstance(key, str):  # JSON has no other keys
                yield "key " + fault, {key: "v"}
        for fault, value in bad_scalars(shape.value):
            yield "value " + fault, {"k": value}
    else:
        yield from bad_scalars(shape)


def in_the_path_or_a_header(shape, fault):
    """There everything is a string."""
    return shape.serialization.get("location") in ("uri", "header", "querystring") and fault == "another type" and shape.type_name == "string"


@pytest.mark.parametrize("operation", ERRORS)
def test_every_member(iot, valid, operation):
    model = iot.meta.service_model.operation_model(iot.meta.method_to_api_mapping[operation]).input_shape
    for member, shape in model.members.items() if model else ():
        if member in IGNORED:
            continue
        needed = {required: valid[required] for required in model.required_members}
        if operation in CREATES:
            needed[model.required_members[0]] = "new"
        for other in ("attributeName", "attributeValue"):  # they go together
            if other in model.members and member in ("attributeName", "attributeValue"):
                needed[other] = valid[other]
        for fault, value in bad_values(shape, valid, member):
            if in_the_path_or_a_header(shape, fault):
                continue
            what = "{}: {}: {}".format(operation, member, fault)
            with pytest.raises(ClientError) as caught:
                getattr(iot, operation)(**{**needed, member: value})
                pytest.fail(what + " is accepted")
            code = caught.value.response["Error"]["Code"]
            allowed = {"InvalidRequestException"} | {OTHERS[part] for part in OTHERS if part in what}
            assert code in allowed, "{}: {}".format(what, caught.value)
