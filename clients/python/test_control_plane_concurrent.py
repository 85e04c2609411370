"""Many clients create one name at the same moment, boto3 in threads: one wins and the others get the documented conflict, or
all get the same thing where AWS says that the same parameters are no error. Limits hold under concurrency."""

import collections
import concurrent.futures
import json
import threading

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness import aws
from harness.certificates import self_made
from harness.server import arn, policy, statement

CLIENTS, ROUNDS = 12, 5
DOCUMENT = json.dumps(policy(statement("Allow", "iot:*", "*")))


@pytest.fixture(scope="module")
def iot(server):
    return aws.client(server, "iot", max_pool_connections=CLIENTS)


@pytest.fixture(scope="module")
def pool():
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


@pytest.fixture
def at_once(pool):
    """Calls fn with each client's number at the same moment: the answers of those that it let in, and the errors of the
    others."""

    def run(fn):
        gate = threading.Barrier(CLIENTS)

        def one(i):
            gate.wait(30)
            try:
                return fn(i), None
            except ClientError as e:
                return None, e

        results = list(pool.map(one, range(CLIENTS)))
        return [answer for answer, error in results if error is None], [error for _, error in results if error]

    return run


def codes(errors):
    return collections.Counter(e.response["Error"]["Code"] for e in errors)


# By operation: parameters of a name, something by which two of one name differ, and the member that is one's identity.
CREATES = {
    "create_thing": (lambda n: {"thingName": n}, lambda i: {"attributePayload": {"attributes": {"a": str(i)}}}, "thingId"),
    "create_thing_type": (
        lambda n: {"thingTypeName": n},
        lambda i: {"thingTypeProperties": {"thingTypeDescription": str(i)}},
        "thingTypeId",
    ),
    "create_thing_group": (
        lambda n: {"thingGroupName": n},
        lambda i: {"thingGroupProperties": {"thingGroupDescription": str(i)}},
        "thingGroupId",
    ),
    "create_billing_group": (
        lambda n: {"billingGroupName": n},
        lambda i: {"billingGroupProperties": {"billingGroupDescription": str(i)}},
        "billingGroupId",
    ),
}


@pytest.mark.parametrize("operation", CREATES)
def test_the_same_parameters_are_one(iot, at_once, unique, operation):
    """AWS answers who creates once more what is there with what is there."""
    name, _, identity = CREATES[operation]
    for _ in range(ROUNDS):
        parameters = name(unique("same"))
        answers, errors = at_once(lambda _: getattr(iot, operation)(**parameters))
        assert not errors
        assert len({answer[identity] for answer in answers}) == 1


@pytest.mark.parametrize("operation", CREATES)
def test_other_parameters_are_a_conflict(iot, at_once, unique, operation):
    """The winner's are there, and the others are told whose the name is."""
    name, other, identity = CREATES[operation]
    for _ in range(ROUNDS):
        parameters = name(unique("other"))
        answers, errors = at_once(lambda i: getattr(iot, operation)(**parameters, **other(i)))
        assert len(answers) == 1
        assert codes(errors) == {"ResourceAlreadyExistsException": CLIENTS - 1}
        assert {e.response["resourceId"] for e in errors} == {answers[0][identity]}


def test_one_policy_name(iot, at_once, unique):
    for _ in range(ROUNDS):
        name = unique("policy")
        answers, errors = at_once(lambda _: iot.create_policy(policyName=name, policyDocument=DOCUMENT))
        assert len(answers) == 1
        assert codes(errors) == {"ResourceAlreadyExistsException": CLIENTS - 1}
        assert iot.get_policy(policyName=name)["defaultVersionId"] == "1"


def test_five_versions_of_a_policy(iot, at_once, unique):
    for _ in range(ROUNDS):
        name = unique("policy")
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
        answers, errors = at_once(lambda _: iot.create_policy_version(policyName=name, policyDocument=DOCUMENT, setAsDefault=True))
        assert sorted(answer["policyVersionId"] for answer in answers) == ["2", "3", "4", "5"]
        assert codes(errors) == {"VersionsLimitExceededException": CLIENTS - 4}
        versions = iot.list_policy_versions(policyName=name)["policyVersions"]
        assert len(versions) == 5 and sum(v["isDefaultVersion"] for v in versions) == 1


def test_ten_policies_of_a_certificate(iot, at_once, unique, server, tmp_path):
    _, pem = self_made(tmp_path, server.ca, -1, 1)
    target = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]
    names = [unique("policy") for _ in range(CLIENTS)]
    for name in names:
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
    answers, errors = at_once(lambda i: iot.attach_policy(policyName=names[i], target=target))
    assert len(answers) == 10
    assert codes(errors) == {"LimitExceededException": CLIENTS - 10}
    assert len(iot.list_attached_policies(target=target)["policies"]) == 10


def test_one_request_many_certificates(iot, at_once):
    """The same certificate signing request gives each client a certificate of its own."""
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    answers, errors = at_once(lambda _: iot.create_certificate_from_csr(certificateSigningRequest=pem, setAsActive=True))
    assert not errors
    assert len({answer["certificateId"] for answer in answers}) == CLIENTS


def test_one_certificate(iot, at_once, server, tmp_path):
    for _ in range(ROUNDS):
        _, pem = self_made(tmp_path, server.ca, -1, 1)
        answers, errors = at_once(lambda _: iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE"))
        assert len(answers) == 1
        assert codes(errors) == {"ResourceAlreadyExistsException": CLIENTS - 1}
        assert {e.response["resourceId"] for e in errors} == {answers[0]["certificateId"]}


def test_exclusive_to_one_thing(iot, at_once, unique, server, tmp_path):
    _, pem = self_made(tmp_path, server.ca, -1, 1)
    principal = iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]
    things = [unique("thing") for _ in range(CLIENTS)]
    for thing in things:
        iot.create_thing(thingName=thing)
    answers, errors = at_once(
        lambda i: iot.attach_thing_principal(thingName=things[i], principal=principal, thingPrincipalType="EXCLUSIVE_THING")
    )
    assert len(answers) == 1
    assert codes(errors) == {"InvalidRequestException": CLIENTS - 1}
    assert len(iot.list_principal_things(principal=principal)["things"]) == 1


def test_deleted_once_and_never_half(iot, at_once, unique):
    """A policy that is deleted and attached at the same moment is either there and attached, or neither."""
    for _ in range(ROUNDS):
        name, group = unique("policy"), unique("group")
        iot.create_policy(policyName=name, policyDocument=DOCUMENT)
        iot.create_thing_group(thingGroupName=group)

        def attach_or_delete(i, name=name, group=group):
            if i % 2:
                iot.delete_policy(policyName=name)
            else:
                iot.attach_policy(policyName=name, target=arn("thinggroup/" + group))

        _, errors = at_once(attach_or_delete)
        attached = iot.list_attached_policies(target=arn("thinggroup/" + group))["policies"]
        if attached:
            assert iot.list_targets_for_policy(policyName=name)["targets"] == [arn("thinggroup/" + group)]
            assert codes(errors) == {"DeleteConflictException": CLIENTS // 2}
        else:
            assert codes(errors) == {"ResourceNotFoundException": CLIENTS - 1}


def test_fifty_tags(iot, at_once, unique):
    """Tags that are added at the same moment are all there, up to the limit."""
    name = unique("group")
    iot.create_thing_group(thingGroupName=name)
    answers, errors = at_once(
        lambda i: iot.tag_resource(resourceArn=arn("thinggroup/" + name), tags=[{"Key": "{}-{}".format(i, n), "Value": ""} for n in range(6)])
    )
    assert len(answers) == 8
    assert codes(errors) == {"LimitExceededException": CLIENTS - 8}
    assert len(iot.list_tags_for_resource(resourceArn=arn("thinggroup/" + name))["tags"]) == 48


def test_one_update_of_a_version(iot, at_once, unique):
    name = unique("thing")
    iot.create_thing(thingName=name)
    answers, errors = at_once(
        lambda i: iot.update_thing(thingName=name, expectedVersion=1, attributePayload={"attributes": {"a": str(i)}})
    )
    assert len(answers) == 1
    assert codes(errors) == {"VersionConflictException": CLIENTS - 1}
    assert iot.describe_thing(thingName=name)["version"] == 2


def test_users_and_access_keys(server, at_once, unique):
    """One user of a name, and two keys for a user."""
    iam = aws.client(server, "iam", max_pool_connections=CLIENTS)
    for _ in range(ROUNDS):
        name = unique("user")
        answers, errors = at_once(lambda _: iam.create_user(UserName=name))
        assert len(answers) == 1
        assert codes(errors) == {"EntityAlreadyExists": CLIENTS - 1}
        answers, errors = at_once(lambda _: iam.create_access_key(UserName=name))
        assert len(answers) == 2
        assert codes(errors) == {"LimitExceeded": CLIENTS - 2}
        listed = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]}
        assert listed == {answer["AccessKey"]["AccessKeyId"] for answer in answers}
