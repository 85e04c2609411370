"""Each error that the model of AWS's SDK documents for an operation of the control plane, provoked with boto3 and caught by
its class. The table is complete: what cannot be provoked stands in IMPOSSIBLE with its reason."""

import json
import pathlib
import types

import pytest
from harness import aws
from harness.certificates import Authority, self_made
from harness.server import arn, policy, statement

DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))
NOBODY, NO_ID, FOREIGN = arn("cert/" + "0" * 64), "0" * 64, "arn:aws:iot:eu-west-1:000000000000:policy/p"
STATUS = {
    "InvalidRequest": 400, "ResourceNotFound": 404, "ResourceAlreadyExists": 409, "VersionConflict": 409, "DeleteConflict": 409,
    "CertificateState": 406, "CertificateValidation": 400, "CertificateConflict": 409, "RegistrationCodeValidation": 400,
    "MalformedPolicy": 400, "VersionsLimitExceeded": 409, "LimitExceeded": 410,
    "NotConfigured": 404,
}  # fmt: skip
# Of the service itself, and for all operations alike: none of them can be provoked from outside.
OF_ALL = {
    "InternalFailure": "needs a disk that fails below the server, or a bug: TestInternalErrorsAreNotShown, TestPanic",
    "Internal": "the same by the name that the logging operations have for it",
    "ServiceUnavailable": "needs a store that cannot write",
    "Throttling": "the control plane is not limited: docs/compatibility.md",
    "Unauthorized": "a name in the model that the service does not use: it says AccessDenied, which test_access_denied provokes",
}


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot")


@pytest.fixture(scope="module")
def world(iot, server, tmp_path_factory):
    """What the table's parameters name."""
    folder = tmp_path_factory.mktemp("world")
    w = types.SimpleNamespace()

    def certificate(status):
        _, w.pem = self_made(folder, server.ca, -1, 1)
        return iot.register_certificate_without_ca(certificatePem=w.pem, status=status)["certificateArn"]

    iot.create_thing_type(thingTypeName="bulb")
    iot.create_billing_group(billingGroupName="north")
    iot.create_billing_group(billingGroupName="south")
    iot.create_thing_group(thingGroupName="house")
    iot.create_thing_group(thingGroupName="floor", parentGroupName="house")
    iot.create_thing(thingName="lamp", thingTypeName="bulb", billingGroupName="north")
    iot.add_thing_to_thing_group(thingGroupName="floor", thingName="lamp")
    w.active, w.held = certificate("ACTIVE"), certificate("INACTIVE")
    iot.attach_thing_principal(thingName="lamp", principal=w.active)
    for i in range(11):
        iot.create_policy(policyName="p{}".format(i), policyDocument=DOCUMENT)
    for i in range(10):
        iot.attach_policy(policyName="p{}".format(i), target=w.active)
    iot.attach_policy(policyName="p0", target=w.held)
    for _ in range(4):
        iot.create_policy_version(policyName="p0", policyDocument=DOCUMENT)
    iot.tag_resource(resourceArn=arn("policy/p0"), tags=[{"Key": str(i), "Value": ""} for i in range(50)])

    factories = [Authority("factory") for _ in range(11)]
    for factory in factories[:10]:
        ca = iot.register_ca_certificate(caCertificate=factory.pem, certificateMode="SNI_ONLY", setAsActive=True)
    w.ca, w.one_too_many = ca["certificateId"], factories[10]
    w.factory, w.lone = factories[0], Authority("lone")
    iot.register_ca_certificate(caCertificate=w.lone.pem, certificateMode="SNI_ONLY")
    w.product, _ = w.factory.issue("product", folder, server.ca)
    w.known, _ = w.factory.issue("known", folder, server.ca)
    iot.register_certificate(certificatePem=w.known, caCertificatePem=w.factory.pem)
    w.proof, _ = w.factory.issue("not the code", folder, server.ca)
    return w


def identified(of):
    return of.rsplit("/", 1)[1]


INVALID, MISSING, EXISTS, VERSION = "InvalidRequest", "ResourceNotFound", "ResourceAlreadyExists", "VersionConflict"
IN_USE, STATE, LIMIT = "DeleteConflict", "CertificateState", "LimitExceeded"
LONG = {"maxResults": 251}
LARGE = {"pageSize": 251}
LAMP, NO_LAMP = {"thingName": "lamp"}, {"thingName": "none"}
LONE = [{"Key": "k", "Value": "v"}]
ASK = [{"actionType": "CONNECT", "resources": [arn("client/lamp")]}]

# By operation and error: the parameters, or a function of the world that gives them.
ERRORS = {
    "describe_endpoint": {INVALID: {"endpointType": "iot:Moon"}},
    "create_thing": {
        INVALID: {"thingName": "a b"},
        EXISTS: {"thingName": "lamp", "billingGroupName": "south"},
        MISSING: {"thingName": "x", "thingTypeName": "none"},
    },
    "describe_thing": {INVALID: {"thingName": "a/b"}, MISSING: NO_LAMP},
    "update_thing": {
        INVALID: {**LAMP, "thingTypeName": "bulb", "removeThingType": True},
        MISSING: NO_LAMP,
        VERSION: {**LAMP, "expectedVersion": 7},
    },
    "delete_thing": {INVALID: LAMP, VERSION: {**LAMP, "expectedVersion": 7}},
    "list_things": {INVALID: {"attributeName": "without a value"}},
    "get_thing_connectivity_data": {INVALID: {"thingName": "a b"}, MISSING: NO_LAMP},
    "create_thing_type": {INVALID: {"thingTypeName": "x", "tags": LONE * 2}, EXISTS: {"thingTypeName": "bulb", "tags": LONE}},
    "describe_thing_type": {INVALID: {"thingTypeName": "a b"}, MISSING: {"thingTypeName": "none"}},
    "update_thing_type": {
        INVALID: {"thingTypeName": "bulb", "thingTypeProperties": {"searchableAttributes": ["a", "b", "c", "d"]}},
        MISSING: {"thingTypeName": "none"},
    },
    "deprecate_thing_type": {INVALID: {"thingTypeName": "a b"}, MISSING: {"thingTypeName": "none"}},
    "delete_thing_type": {INVALID: {"thingTypeName": "bulb"}, MISSING: {"thingTypeName": "none"}},
    "list_thing_types": {INVALID: LONG},
    "create_thing_group": {
        INVALID: {"thingGroupName": "x", "parentGroupName": "none"},
        EXISTS: {"thingGroupName": "floor", "parentGroupName": "house", "thingGroupProperties": {"thingGroupDescription": "d"}},
    },
    "describe_thing_group": {INVALID: {"thingGroupName": "a b"}, MISSING: {"thingGroupName": "none"}},
    "update_thing_group": {
        INVALID: {"thingGroupName": "floor", "thingGroupProperties": {"thingGroupDescription": "d" * 2029}},
        MISSING: {"thingGroupName": "none", "thingGroupProperties": {}},
        VERSION: {"thingGroupName": "floor", "thingGroupProperties": {}, "expectedVersion": 7},
    },
    "delete_thing_group": {INVALID: {"thingGroupName": "house"}, VERSION: {"thingGroupName": "floor", "expectedVersion": 7}},
    "list_thing_groups": {INVALID: {"namePrefixFilter": "a b"}, MISSING: {"parentGroup": "none"}},
    "add_thing_to_thing_group": {INVALID: {**LAMP, "thingGroupName": "house"}, MISSING: {**LAMP, "thingGroupName": "none"}},
    "remove_thing_from_thing_group": {INVALID: LAMP, MISSING: {**NO_LAMP, "thingGroupName": "floor"}},
    "update_thing_groups_for_thing": {
        INVALID: {**LAMP, "thingGroupsToAdd": ["house"], "thingGroupsToRemove": ["house"]},
        MISSING: {**LAMP, "thingGroupsToAdd": ["none"]},
    },
    "list_thing_groups_for_thing": {INVALID: {**LAMP, **LONG}, MISSING: NO_LAMP},
    "list_things_in_thing_group": {INVALID: {"thingGroupName": "floor", **LONG}, MISSING: {"thingGroupName": "none"}},
    "create_billing_group": {INVALID: {"billingGroupName": "a b"}, EXISTS: {"billingGroupName": "north", "tags": LONE}},
    "describe_billing_group": {INVALID: {"billingGroupName": "a b"}, MISSING: {"billingGroupName": "none"}},
    "update_billing_group": {
        INVALID: {"billingGroupName": "north", "billingGroupProperties": {"billingGroupDescription": "a\nb"}},
        MISSING: {"billingGroupName": "none", "billingGroupProperties": {}},
        VERSION: {"billingGroupName": "north", "billingGroupProperties": {}, "expectedVersion": 7},
    },
    "delete_billing_group": {INVALID: {"billingGroupName": "a b"}, VERSION: {"billingGroupName": "north", "expectedVersion": 7}},
    "list_billing_groups": {INVALID: {"namePrefixFilter": "a b"}},
    "add_thing_to_billing_group": {INVALID: {**LAMP, "billingGroupName": "south"}, MISSING: {**LAMP, "billingGroupName": "none"}},
    "remove_thing_from_billing_group": {INVALID: LAMP, MISSING: {**NO_LAMP, "billingGroupName": "north"}},
    "list_things_in_billing_group": {INVALID: {"billingGroupName": "north", **LONG}, MISSING: {"billingGroupName": "none"}},
    "attach_thing_principal": {INVALID: {**LAMP, "principal": "me"}, MISSING: {**LAMP, "principal": NOBODY}},
    "detach_thing_principal": {INVALID: {**LAMP, "principal": FOREIGN}, MISSING: {**NO_LAMP, "principal": NOBODY}},
    "list_thing_principals": {INVALID: {**LAMP, **LONG}, MISSING: NO_LAMP},
    "list_principal_things": {INVALID: {"principal": "me"}, MISSING: {"principal": NOBODY}},
    "list_thing_principals_v2": {INVALID: {**LAMP, "thingPrincipalType": "MINE"}, MISSING: NO_LAMP},
    "list_principal_things_v2": {INVALID: {"principal": NOBODY, "thingPrincipalType": "MINE"}, MISSING: {"principal": NOBODY}},
    "create_certificate_from_csr": {INVALID: {"certificateSigningRequest": "hello"}},
    "register_certificate": {
        INVALID: lambda w: {"certificatePem": w.product, "caCertificatePem": w.factory.pem, "status": "SLEEPING"},
        "CertificateConflict": lambda w: {"certificatePem": w.product},
        "CertificateValidation": lambda w: {"certificatePem": w.product, "caCertificatePem": "hello"},
        EXISTS: lambda w: {"certificatePem": w.known, "caCertificatePem": w.factory.pem},
    },
    "register_certificate_without_ca": {
        INVALID: lambda w: {"certificatePem": w.product, "status": "SLEEPING"},
        "CertificateValidation": {"certificatePem": "hello"},
        EXISTS: lambda w: {"certificatePem": w.pem},
    },
    "describe_certificate": {INVALID: {"certificateId": "x" * 64}, MISSING: {"certificateId": NO_ID}},
    "update_certificate": {
        INVALID: lambda w: {"certificateId": identified(w.active), "newStatus": "PENDING_TRANSFER"},
        MISSING: {"certificateId": NO_ID, "newStatus": "ACTIVE"},
    },
    "delete_certificate": {
        INVALID: {"certificateId": "x" * 64},
        MISSING: {"certificateId": NO_ID},
        STATE: lambda w: {"certificateId": identified(w.active)},
        IN_USE: lambda w: {"certificateId": identified(w.held)},
    },
    "list_certificates": {INVALID: LARGE},
    "list_outgoing_certificates": {INVALID: LARGE},
    "list_certificates_by_ca": {INVALID: {"caCertificateId": NO_ID, **LARGE}},
    "register_ca_certificate": {
        INVALID: lambda w: {"caCertificate": w.one_too_many.pem},
        "CertificateValidation": {"caCertificate": "hello", "certificateMode": "SNI_ONLY"},
        "RegistrationCodeValidation": lambda w: {"caCertificate": w.factory.pem, "verificationCertificate": w.proof},
        EXISTS: lambda w: {"caCertificate": w.lone.pem, "certificateMode": "SNI_ONLY"},
        LIMIT: lambda w: {"caCertificate": w.one_too_many.pem, "certificateMode": "SNI_ONLY"},
    },
    "describe_ca_certificate": {INVALID: {"certificateId": "x" * 64}, MISSING: {"certificateId": NO_ID}},
    "update_ca_certificate": {
        INVALID: lambda w: {"certificateId": w.ca, "newAutoRegistrationStatus": "PERHAPS"},
        MISSING: {"certificateId": NO_ID, "newStatus": "INACTIVE"},
    },
    "delete_ca_certificate": {
        INVALID: {"certificateId": "x" * 64},
        MISSING: {"certificateId": NO_ID},
        STATE: lambda w: {"certificateId": w.ca},
    },
    "list_ca_certificates": {INVALID: LARGE},
    "create_policy": {
        INVALID: {"policyName": "a b", "policyDocument": DOCUMENT},
        "MalformedPolicy": {"policyName": "x", "policyDocument": "{"},
        EXISTS: {"policyName": "p0", "policyDocument": DOCUMENT},
    },
    "get_policy": {INVALID: {"policyName": "a b"}, MISSING: {"policyName": "none"}},
    "delete_policy": {INVALID: {"policyName": "a b"}, MISSING: {"policyName": "none"}, IN_USE: {"policyName": "p1"}},
    "list_policies": {INVALID: LARGE},
    "create_policy_version": {
        INVALID: {"policyName": "a b", "policyDocument": DOCUMENT},
        MISSING: {"policyName": "none", "policyDocument": DOCUMENT},
        "MalformedPolicy": {"policyName": "p1", "policyDocument": "[]"},
        "VersionsLimitExceeded": {"policyName": "p0", "policyDocument": DOCUMENT},
    },
    "get_policy_version": {
        INVALID: {"policyName": "p0", "policyVersionId": "x"},
        MISSING: {"policyName": "p0", "policyVersionId": "9"},
    },
    "delete_policy_version": {
        INVALID: {"policyName": "p0", "policyVersionId": "x"},
        MISSING: {"policyName": "p0", "policyVersionId": "9"},
        IN_USE: {"policyName": "p0", "policyVersionId": "1"},
    },
    "set_default_policy_version": {
        INVALID: {"policyName": "p0", "policyVersionId": "x"},
        MISSING: {"policyName": "p0", "policyVersionId": "9"},
    },
    "list_policy_versions": {INVALID: {"policyName": "a b"}, MISSING: {"policyName": "none"}},
    "attach_policy": {
        INVALID: {"policyName": "p0", "target": "me"},
        MISSING: {"policyName": "p0", "target": NOBODY},
        LIMIT: lambda w: {"policyName": "p10", "target": w.active},
    },
    "detach_policy": {INVALID: {"policyName": "p0", "target": "me"}},
    "list_attached_policies": {INVALID: {"target": "me"}, MISSING: {"target": NOBODY}},
    "list_targets_for_policy": {INVALID: {"policyName": "p0", **LARGE}, MISSING: {"policyName": "none"}},
    "attach_principal_policy": {
        INVALID: {"policyName": "p0", "principal": arn("thinggroup/house")},
        MISSING: {"policyName": "p0", "principal": NOBODY},
        LIMIT: lambda w: {"policyName": "p10", "principal": w.active},
    },
    "detach_principal_policy": {
        INVALID: {"policyName": "p0", "principal": "me"},
        MISSING: {"policyName": "p0", "principal": NOBODY},
    },
    "list_principal_policies": {INVALID: {"principal": "me"}, MISSING: {"principal": NOBODY}},
    "list_policy_principals": {INVALID: {"policyName": "p0", **LARGE}, MISSING: {"policyName": "none"}},
    "test_authorization": {
        INVALID: lambda w: {"principal": w.active, "authInfos": ASK * 11},
        MISSING: lambda w: {"principal": w.active, "authInfos": ASK, "policyNamesToAdd": ["none"]},
    },
    "get_effective_policies": {INVALID: {"principal": "me"}, MISSING: {"principal": NOBODY}},
    "list_tags_for_resource": {INVALID: {"resourceArn": FOREIGN}, MISSING: {"resourceArn": arn("policy/none")}},
    "tag_resource": {
        INVALID: {"resourceArn": arn("policy/p0"), "tags": [{"Key": "aws:k", "Value": "v"}]},
        MISSING: {"resourceArn": arn("policy/none"), "tags": LONE},
        LIMIT: {"resourceArn": arn("policy/p0"), "tags": LONE},
    },
    "untag_resource": {
        INVALID: {"resourceArn": arn("thing/lamp"), "tagKeys": ["k"]},
        MISSING: {"resourceArn": arn("policy/none"), "tagKeys": ["k"]},
    },
    "describe_event_configurations": {},
    "update_event_configurations": {INVALID: {"eventConfigurations": {"MOON": {"Enabled": True}}}},
    "set_v2_logging_options": {INVALID: {"defaultLogLevel": "LOUD"}},
    "get_v2_logging_options": {"NotConfigured": {}},
    "set_v2_logging_level": {
        INVALID: {"logTarget": {"targetType": "CLIENT_ID", "targetName": "lamp"}, "logLevel": "LOUD"},
        "NotConfigured": {"logTarget": {"targetType": "CLIENT_ID", "targetName": "lamp"}, "logLevel": "ERROR"},
    },
    "list_v2_logging_levels": {INVALID: LONG, "NotConfigured": {}},
    "delete_v2_logging_level": {INVALID: {"targetType": "DEFAULT", "targetName": "x"}},
    "set_logging_options": {INVALID: {"loggingOptionsPayload": {"roleArn": "r", "logLevel": "LOUD"}}},
    "get_logging_options": {},
    "create_keys_and_certificate": {},
    "get_registration_code": {},
    "delete_registration_code": {},
}

IMPOSSIBLE = {
    ("delete_thing", MISSING): "deleting what is not there succeeds, as on AWS",
    ("get_thing_connectivity_data", "IndexNotReady"): "there is no index to wait for: the broker itself is asked",
    ("delete_registration_code", MISSING): "there is always a code: it is made when it is asked for",
    ("get_registration_code", INVALID): "the request has no members",
    ("create_keys_and_certificate", INVALID): "its one member is a boolean, which boto3 does not let be anything else",
    ("register_certificate", STATE): "a new certificate has no state that could be in the way",
    ("register_certificate_without_ca", STATE): "a new certificate has no state that could be in the way",
    ("update_certificate", STATE): "it is about transfers between accounts, and there is one",
    ("register_ca_certificate", MISSING): "it is about the role of registrationConfig, which is not there",
    ("list_billing_groups", MISSING): "its filter is a prefix, which names no group",
    ("get_logging_options", INVALID): "the request has no members",
    ("set_v2_logging_level", LIMIT): "not here: nothing else would be NotConfigured after the thousand levels that it takes",
    ("detach_policy", LIMIT): "detaching makes nothing more",
    ("list_attached_policies", LIMIT): "listing makes nothing more",
    ("list_targets_for_policy", LIMIT): "listing makes nothing more",
    ("test_authorization", LIMIT): "asking makes nothing more",
    ("get_effective_policies", LIMIT): "asking makes nothing more",
}


def documented(iot, operation):
    model = iot.meta.service_model.operation_model(iot.meta.method_to_api_mapping[operation])
    return {shape.name.removesuffix("Exception") for shape in model.error_shapes} - set(OF_ALL)


def operations():
    """Those that the document lists; a test in Go compares it with the code."""
    text = (pathlib.Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
    section = text.split("### Control-plane operations\n")[1].split("\n#")[0]
    rows = [line.split("|")[2] for line in section.splitlines() if line.count("|") == 3 and not line.startswith("|---")]
    return {name.strip() for row in rows for name in row.split(",")} - {"operations"}


def test_the_table_is_complete(iot):
    assert {iot.meta.method_to_api_mapping[operation] for operation in ERRORS} == operations()
    for operation, errors in ERRORS.items():
        excused = {error for name, error in IMPOSSIBLE if name == operation}
        assert documented(iot, operation) == set(errors) | excused, operation
        assert not set(errors) & excused, operation


@pytest.mark.parametrize(("operation", "error"), [(operation, error) for operation in ERRORS for error in ERRORS[operation]])
def test_documented_error(iot, world, operation, error):
    params = ERRORS[operation][error]
    params = params(world) if callable(params) else params
    with pytest.raises(getattr(iot.exceptions, error + "Exception")) as caught:
        getattr(iot, operation)(**params)
    response = caught.value.response
    assert response["Error"]["Code"] == error + "Exception"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == STATUS[error]
    assert response["Error"]["Message"] and response["ResponseMetadata"]["RequestId"]
    if error == EXISTS:
        assert response["resourceId"] and response["resourceArn"].startswith("arn:aws:iot:")


# Parameters by which a call comes as far as the question whether it is allowed.
ASKED = {"remove_thing_from_thing_group": MISSING, "remove_thing_from_billing_group": MISSING}


@pytest.fixture(scope="module")
def nobody(server):
    """A user who may do nothing."""
    return aws.client(server, "iot", aws.create_user(server, "nobody"))


@pytest.mark.parametrize("operation", ERRORS)
def test_access_denied(nobody, world, operation):
    """Every operation asks: who has no policy is told which action is missing on which resource, before anything else."""
    errors = ERRORS[operation]
    params = errors[ASKED.get(operation) or next(iter(errors))] if errors else {}
    params = params(world) if callable(params) else params
    with pytest.raises(nobody.exceptions.ClientError) as caught:
        getattr(nobody, operation)(**params)
    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDeniedException", 403)
    action = "iot:" + nobody.meta.method_to_api_mapping[operation]
    assert "user/nobody is not authorized to perform: {} on resource: ".format(action) in response["Error"]["Message"]
