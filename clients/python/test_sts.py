"""STS and IAM as AWS's tools call them, and what a session's credentials open."""

import datetime
import json

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.aws import CLI, OLD_CLI, Keys, OldBoto3
from harness.server import arn, statement

ACCOUNT = "000000000000"
CLIS = pytest.mark.parametrize("path", [None, OLD_CLI], ids=["aws", "aws of Debian"])


@pytest.fixture(scope="module")
def sts(server):
    return aws.client(server, "sts")


@pytest.fixture(scope="module")
def iam(server):
    return aws.client(server, "iam")


def refused(call, code, status, **params):
    with pytest.raises(ClientError) as e:
        call(**params)
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return e.value.response


def test_caller_identity(server, sts):
    """Who am I: the same answer to all four."""
    told = sts.get_caller_identity()
    assert told["Account"] == ACCOUNT
    assert told["Arn"] == "arn:aws:iam::{}:user/thingwire".format(ACCOUNT)
    assert told["UserId"].startswith("AIDA")
    want = {name: told[name] for name in ("Account", "Arn", "UserId")}
    (old,) = OldBoto3(server).calls(("sts", "get_caller_identity", {}))
    assert {name: old[name] for name in want} == want
    assert CLI(server).json("sts", "get-caller-identity") == want
    assert CLI(server, OLD_CLI).json("sts", "get-caller-identity") == want


def test_session_of_a_user(server, unique):
    """A session may what its user may, and is its user."""
    name = unique("session-user")
    keys = aws.create_user(server, name, statement("Allow", "iot:Publish", arn("topic/mine/*")))
    answer = aws.client(server, "sts", keys).get_session_token(DurationSeconds=900)["Credentials"]
    assert answer["AccessKeyId"].startswith("ASIA")
    left = answer["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < left.total_seconds() <= 900
    session = Keys.of_session(answer)
    assert aws.client(server, "sts", session).get_caller_identity()["Arn"].endswith(":user/" + name)
    data = aws.client(server, "iot-data", session)
    data.publish(topic="mine/a", qos=1, payload=b"x")
    with pytest.raises(ClientError) as e:
        data.publish(topic="theirs/a", qos=1, payload=b"x")
    assert e.value.response["Error"]["Code"] == "ForbiddenException"
    (old,) = OldBoto3(server, session).calls(("iot-data", "publish", {"topic": "mine/a", "qos": 1}))
    assert "error" not in old


@CLIS
def test_session_with_the_command_line(server, path):
    """get-session-token, then publish with what it gave."""
    answer = CLI(server, path).json("sts", "get-session-token", "--duration-seconds", 3600)["Credentials"]
    CLI(server, path, keys=Keys.of_session(answer)).publish(topic="session/cli", qos=1, payload=b"x")


def test_a_session_that_was_tampered_with(server, sts):
    """Another's token, half a token, none: the key id alone opens nothing."""
    one, two = (Keys.of_session(sts.get_session_token()["Credentials"]) for _ in range(2))
    for token in (two.token, one.token[: len(one.token) // 2], one.token[:-4] + "AAAA", "x", None):
        bad = Keys(one.id, one.secret, token)
        call = aws.client(server, "sts", bad).get_caller_identity
        assert "token" in refused(call, "InvalidClientTokenId", 403)["Error"]["Message"].lower()
        with pytest.raises(ClientError) as e:
            aws.client(server, "iot-data", bad).publish(topic="never", payload=b"x")
        assert e.value.response["Error"]["Code"] == "UnauthorizedException"


@pytest.mark.parametrize("seconds", [129601])
def test_durations_that_are_none(sts, seconds):
    refused(sts.get_session_token, "ValidationError", 400, DurationSeconds=seconds)


def test_signatures_that_are_none(server):
    """The names by which AWS's Query services refuse."""
    keys = server.keys
    wrong = aws.client(server, "sts", Keys(keys.id, "x" * 40))
    refused(wrong.get_caller_identity, "SignatureDoesNotMatch", 403)
    unknown = aws.client(server, "sts", Keys("AKIA" + "A" * 16, "x" * 40))
    refused(unknown.get_caller_identity, "InvalidClientTokenId", 403)
    unsigned = CLI(server).run("sts", "get-caller-identity", "--no-sign-request", check=False)
    assert unsigned.returncode != 0 and "(MissingAuthenticationToken)" in unsigned.stderr


def test_users_and_keys(server, iam, unique):
    """The life of a user with boto3: two keys, one disabled, one deleted, and refusals by IAM's own names."""
    name = unique("life")
    made = iam.create_user(UserName=name)["User"]
    assert made["Arn"] == "arn:aws:iam::{}:user/{}".format(ACCOUNT, name) and made["UserId"].startswith("AIDA")
    assert refused(iam.create_user, "EntityAlreadyExists", 409, UserName=name)["Error"]["Message"]
    refused(iam.get_user, "NoSuchEntity", 404, UserName=name + "-not")
    document = {"Version": "2012-10-17", "Statement": [statement("Allow", "iot:Publish", "*")]}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    assert iam.get_user_policy(UserName=name, PolicyName="p")["PolicyDocument"] == document
    refused(iam.put_user_policy, "MalformedPolicyDocument", 400, UserName=name, PolicyName="q", PolicyDocument="{")
    one, two = (iam.create_access_key(UserName=name)["AccessKey"] for _ in range(2))
    refused(iam.create_access_key, "LimitExceeded", 409, UserName=name)
    publish = aws.client(server, "iot-data", Keys(one["AccessKeyId"], one["SecretAccessKey"])).publish
    publish(topic="life", payload=b"x")
    iam.update_access_key(UserName=name, AccessKeyId=one["AccessKeyId"], Status="Inactive")
    refused(publish, "UnauthorizedException", 401, topic="life", payload=b"x")
    iam.update_access_key(UserName=name, AccessKeyId=one["AccessKeyId"], Status="Active")
    publish(topic="life", payload=b"x")
    refused(iam.delete_user, "DeleteConflict", 409, UserName=name)
    iam.delete_user_policy(UserName=name, PolicyName="p")
    refused(publish, "ForbiddenException", 403, topic="life", payload=b"x")
    for key in (one, two):
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    refused(publish, "UnauthorizedException", 401, topic="life", payload=b"x")
    iam.delete_user(UserName=name)
    assert name not in [u["UserName"] for page in iam.get_paginator("list_users").paginate() for u in page["Users"]]


def test_denied(server, unique):
    """A user without permission, by the words that AWS has for it."""
    keys = aws.create_user(server, unique("denied"))
    response = refused(aws.client(server, "iam", keys).list_users, "AccessDenied", 403)
    assert "is not authorized to perform: iam:ListUsers" in response["Error"]["Message"]
    response = refused(aws.client(server, "iot", keys).list_things, "AccessDeniedException", 403)
    assert "is not authorized to perform: iot:ListThings" in response["Error"]["Message"]


@CLIS
def test_control_plane(server, path, unique):
    """Old clients sign the control plane as execute-api, new ones as iot."""
    name, cli = unique("cli"), CLI(server, path)
    assert cli.json("iot", "create-thing", "--thing-name", name)["thingName"] == name
    missing = cli.run("iot", "describe-thing", "--thing-name", name + "-not", check=False)
    assert missing.returncode == cli.refused
    assert "(ResourceNotFoundException) when calling the DescribeThing operation" in missing.stderr
