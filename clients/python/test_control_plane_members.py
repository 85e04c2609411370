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
    "logDestination": "NotImplementedException",
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
        "attributeValue": "b", "logTarget": {"targetType": "CLIENT_ID", "targetName": "lamp"}, "logLevel": "ERROR",
        "targetType": "CLIENT_ID", "targetName": "lamp", "loggingOptionsPayload": {"roleArn": "r"}, "roleArn": "r", "eventType": "Connect",
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
                yield "key " + fault, {key: {} if shape.value.type_name == "structure" else "v"}
        key = shape.key.enum[0] if shape.key.enum else "k"
        for fault, value in bad_values(shape.value, valid, name):
            yield "value " + fault, {key: value}
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


@pytest.fixture
def code(iot):
    """Makes a call and gives the code of its error, "" if there is none. spoil may change the request before it is signed."""

    def call(operation, parameters, spoil=None):
        event = "before-call.iot." + iot.meta.method_to_api_mapping[operation]

        def change(params, **_):
            if spoil:
                spoil(params)

        iot.meta.events.register(event, change, unique_id="spoil")
        try:
            getattr(iot, operation)(**parameters)
        except ClientError as e:
            assert e.response["ResponseMetadata"]["RequestId"] and e.response["Error"]["Message"], e
            assert e.response["ResponseMetadata"]["HTTPStatusCode"] != 500, e
            return e.response["Error"]["Code"]
        finally:
            iot.meta.events.unregister(event, unique_id="spoil")
        return ""

    return call


def in_the_body(model):
    return {member: shape for member, shape in model.members.items() if "location" not in shape.serialization} if model else {}


def wire_name(member, shape):
    return shape.serialization.get("name", member)


def body_with(name, value):
    def spoil(params):
        body = json.loads(params["body"] or "{}")
        body[name] = value
        params["body"] = json.dumps(body).encode()

    return spoil


def good_parameters(model, valid, operation):
    needed = {required: valid[required] for required in model.required_members}
    if operation in CREATES:
        needed[model.required_members[0]] = "once-" + operation.replace("_", "-")
    return needed


def input_of(iot, operation):
    return iot.meta.service_model.operation_model(iot.meta.method_to_api_mapping[operation]).input_shape


@pytest.mark.parametrize("operation", ERRORS)
def test_required_members(iot, valid, code, operation):
    """What is required and absent, or null, is refused, wherever it stands in the request."""
    model = input_of(iot, operation)
    for member in model.required_members if model else ():
        shape, needed = model.members[member], good_parameters(model, valid, operation)
        where = shape.serialization.get("location")
        allowed = {"InvalidRequestException"} | {OTHERS[part] for part in OTHERS if part == member}
        if where == "uri":
            continue  # a label that is absent is another path
        what = "{} without {}".format(operation, member)
        if where is None:
            assert code(operation, needed, body_with(wire_name(member, shape), None)) in allowed, what + " (null)"
        del needed[member]
        assert code(operation, needed) in allowed, what


@pytest.mark.parametrize("operation", ERRORS)
def test_null_is_absent(iot, valid, code, operation):
    """A member that need not be there may be null: the call is refused only if it is without the member, too."""
    model = input_of(iot, operation)
    for member, shape in in_the_body(model).items():
        if member not in model.required_members:
            needed = good_parameters(model, valid, operation)
            absent, null = code(operation, needed), code(operation, needed, body_with(wire_name(member, shape), None))
            for refusal in ("InvalidRequestException", "NotImplementedException"):
                assert (absent == refusal) == (null == refusal), "{}: {} is null: {}, absent: {}".format(operation, member, null, absent)


@pytest.mark.parametrize("operation", ERRORS)
def test_unknown_members(iot, valid, code, operation):
    """What AWS does not know it ignores, and so do we: in the body, in the query, in a header."""
    model = input_of(iot, operation)

    def strange(params):
        if in_the_body(model):
            body_with("strange", [1, {"deep": [None, "\u2028"]}])(params)
        params["query_string"] = {**params["query_string"], "strange": "1"}
        params["headers"]["x-amzn-strange"] = "1"

    needed = good_parameters(model, valid, operation) if model else {}
    plain, extra = code(operation, needed), code(operation, needed, strange)
    assert (plain == "InvalidRequestException") == (extra == "InvalidRequestException"), (plain, extra)
