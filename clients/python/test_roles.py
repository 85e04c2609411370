"""Roles and their sessions as AWS's tools use them: trust, external ids, and what a session opens."""

import datetime
import json

import pytest
from botocore.exceptions import ClientError
from harness import aws, paho
from harness.aws import CLI, OLD_CLI, Keys, OldBoto3
from harness.presign import presigned
from harness.server import arn, policy, statement

ACCOUNT = "000000000000"
CLIS = pytest.mark.parametrize("path", [None, OLD_CLI], ids=["aws", "aws of Debian"])


@pytest.fixture(scope="module")
def iam(server):
    return aws.client(server, "iam")


@pytest.fixture(scope="module")
def sts(server):
    return aws.client(server, "sts")


def trust(external_id="ours", principal="arn:aws:iam::{}:root".format(ACCOUNT)):
    """Lets a principal assume a role with an external id."""
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}
    allow["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [allow]}


def make_role(iam, name, **kwargs):
    """A role that may publish to the topic sigfox and nothing else."""
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(**kwargs)))["Role"]
    document = policy(statement("Allow", "iot:Publish", arn("topic/sigfox")))
    iam.put_role_policy(RoleName=name, PolicyName="publish", PolicyDocument=json.dumps(document))
    return role


def refused(code, status, call, **params):
    with pytest.raises(ClientError) as e:
        call(**params)
    assert (e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return e.value.response["Error"]["Message"]


def test_life_of_a_role(iam, unique):
    """Everything that boto3 and tools on it ask of a role, from its making to its end."""
    name = unique("life")
    made = iam.create_role(
        RoleName=name, Path="/of/tests/", AssumeRolePolicyDocument=json.dumps(trust()), Description="a role",
        MaxSessionDuration=7200, Tags=[{"Key": "a", "Value": "1"}],
    )["Role"]  # fmt: skip
    assert made["Arn"] == "arn:aws:iam::{}:role/of/tests/{}".format(ACCOUNT, name) and made["RoleId"].startswith("AROA")
    got = iam.get_role(RoleName=name)["Role"]
    assert got["AssumeRolePolicyDocument"] == trust() and got["MaxSessionDuration"] == 7200
    assert got["Description"] == "a role" and got["Tags"] == [{"Key": "a", "Value": "1"}]
    refused("EntityAlreadyExists", 409, iam.create_role, RoleName=name, AssumeRolePolicyDocument=json.dumps(trust()))
    refused("MalformedPolicyDocument", 400, iam.update_assume_role_policy, RoleName=name, PolicyDocument="{}")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust("theirs")))
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == trust("theirs")
    document = policy(statement("Allow", "iot:Publish", "*"))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    assert iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyDocument"] == document
    assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["p"]
    roles = [r["RoleName"] for page in iam.get_paginator("list_roles").paginate(PathPrefix="/of/", MaxItems=1) for r in page["Roles"]]
    assert name in roles
    refused("DeleteConflict", 409, iam.delete_role, RoleName=name)
    managed = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    assert "not attachable" in refused("NoSuchEntity", 404, iam.attach_role_policy, RoleName=name, PolicyArn=managed)
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)
    refused("NoSuchEntity", 404, iam.get_role, RoleName=name)


@CLIS
def test_role_with_the_command_line(server, path, unique):
    """create-role, assume-role with and without the external id, publish with the session, delete."""
    name, cli = unique("cli-role"), CLI(server, path)
    role = cli.json("iam", "create-role", "--role-name", name, "--assume-role-policy-document", json.dumps(trust()))["Role"]
    document = json.dumps(policy(statement("Allow", "iot:Publish", arn("topic/sigfox"))))
    cli.run("iam", "put-role-policy", "--role-name", name, "--policy-name", "p", "--policy-document", document)
    assume = ("sts", "assume-role", "--role-arn", role["Arn"], "--role-session-name", "s1", "--duration-seconds", 900)
    wrong = cli.run(*assume, "--external-id", "theirs", check=False)
    assert wrong.returncode == cli.refused and "(AccessDenied)" in wrong.stderr
    assert "is not authorized to perform: sts:AssumeRole on resource: " + role["Arn"] in wrong.stderr
    answer = cli.json(*assume, "--external-id", "ours")
    session = CLI(server, path, keys=Keys.of_session(answer["Credentials"]))
    assert session.json("sts", "get-caller-identity")["Arn"] == "arn:aws:sts::{}:assumed-role/{}/s1".format(ACCOUNT, name)
    session.publish(topic="sigfox", qos=1, payload=b"x")
    elsewhere = session.run("iot-data", "publish", "--topic", "elsewhere", check=False)
    assert elsewhere.returncode == cli.refused and "(ForbiddenException)" in elsewhere.stderr
    cli.run("iam", "delete-role-policy", "--role-name", name, "--policy-name", "p")
    cli.run("iam", "delete-role", "--role-name", name)


def test_session_of_a_role(server, iam, sts, thing, unique):
    """What the session publishes reaches a subscriber; elsewhere it is refused; without its role it is over."""
    name = unique("session-role")
    role = make_role(iam, name)
    assume = {"RoleArn": role["Arn"], "RoleSessionName": "sigfox-1", "DurationSeconds": 900}
    for wrong in ({}, {"ExternalId": "theirs"}):
        message = refused("AccessDenied", 403, sts.assume_role, **assume, **wrong)
        assert "is not authorized to perform: sts:AssumeRole on resource: " + role["Arn"] in message and "ours" not in message
    refused("AccessDenied", 403, sts.assume_role, **{**assume, "RoleArn": role["Arn"] + "x"})
    refused("ValidationError", 400, sts.assume_role, **{**assume, "DurationSeconds": 7200, "ExternalId": "ours"})
    answer = sts.assume_role(**assume, ExternalId="ours")
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": role["RoleId"] + ":sigfox-1", "Arn": "arn:aws:sts::{}:assumed-role/{}/sigfox-1".format(ACCOUNT, name),
    }  # fmt: skip
    left = answer["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert 800 < left.total_seconds() <= 900
    session = Keys.of_session(answer["Credentials"])
    data = aws.client(server, "iot-data", session)
    with paho.Client.open(server, thing, unique("watcher")) as watcher:
        watcher.subscribe("sigfox")
        data.publish(topic="sigfox", qos=1, payload=b'{"temperature": "25.1"}')
        assert watcher.texts(1) == ['{"temperature": "25.1"}']
    (old,) = OldBoto3(server, session).calls(("iot-data", "publish", {"topic": "sigfox", "qos": 1}))
    assert "error" not in old
    refused("ForbiddenException", 403, data.publish, topic="sigfox/more", payload=b"x")
    refused("AccessDeniedException", 403, aws.client(server, "iot", session).list_things)
    refused("AccessDenied", 403, aws.client(server, "iam", session).list_roles)

    iam.put_role_policy(RoleName=name, PolicyName="publish", PolicyDocument=json.dumps(policy(statement("Deny", "*", "*"))))
    refused("ForbiddenException", 403, data.publish, topic="sigfox", payload=b"x")
    iam.delete_role_policy(RoleName=name, PolicyName="publish")
    iam.delete_role(RoleName=name)
    refused("UnauthorizedException", 401, data.publish, topic="sigfox", payload=b"x")


def test_session_with_a_policy_of_its_own(server, iam, sts, unique):
    """A session may at most what its own policy says."""
    name = unique("bounded")
    role = make_role(iam, name)
    narrow = json.dumps(policy(statement("Allow", "iot:Publish", arn("topic/other"))))
    answer = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="ours", Policy=narrow)
    publish = aws.client(server, "iot-data", Keys.of_session(answer["Credentials"])).publish
    refused("ForbiddenException", 403, publish, topic="sigfox", payload=b"x")
    refused("ForbiddenException", 403, publish, topic="other", payload=b"x")


def test_session_survives_a_restart(new_server):
    """Stopped, or killed: the session goes on where it was."""
    server = new_server().start()
    role = make_role(aws.client(server, "iam"), "lasting")
    answer = aws.client(server, "sts").assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="ours")
    session = Keys.of_session(answer["Credentials"])
    for end in (server.stop, server.kill):
        aws.client(server, "iot-data", session).publish(topic="sigfox", qos=1, payload=b"x")
        end()
        server.start()
    aws.client(server, "iot-data", session).publish(topic="sigfox", qos=1, payload=b"x")
    refused("ForbiddenException", 403, aws.client(server, "iot-data", session).publish, topic="elsewhere", payload=b"x")


def test_why_a_role_was_refused(server, iam, sts, unique):
    """The journal has the reason under the caller's access key."""
    name = unique("why-role")
    role = make_role(iam, name)
    refused("AccessDenied", 403, sts.assume_role, RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="theirs")
    told = server.run("why", server.keys.id).output()
    assert "sts:AssumeRole" in told and "sts:ExternalId is another one" in told


def test_role_over_websocket(server, iam, sts, unique):
    """A session of a role connects by a URL that botocore signed, as the role's policies have it, and ends with the role."""
    name, client_id = unique("ws-role"), unique("ws-client")
    role = make_role(iam, name)
    allowed = policy(statement("Allow", "iot:Connect", arn("client/" + client_id)), statement("Allow", "iot:Publish", arn("topic/sigfox")))
    iam.put_role_policy(RoleName=name, PolicyName="publish", PolicyDocument=json.dumps(allowed))
    answer = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="s1", ExternalId="ours")
    url = presigned(server, Keys.of_session(answer["Credentials"]), "api")
    client = paho.WebSocketClient.open(server, url, client_id, version=paho.V5)
    assert client.publish("sigfox", "x")[0] in (0, 16)  # 16: nobody subscribes
    assert client.publish("elsewhere", "x")[0] == 135
    iam.delete_role_policy(RoleName=name, PolicyName="publish")
    iam.delete_role(RoleName=name)
    assert client.closed.wait(5) and client.end[0] == 135
    told = server.run("why", client_id).output()
    assert "of role {}, session s1: the role {} is gone".format(name, name) in told
