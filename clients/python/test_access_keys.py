"""An access key that is disabled or deleted, and a policy that is taken back, end what runs on them: within a second,
with the cause in the journal."""

import datetime

import pytest
from harness import aws
from harness.aws import CLI, Keys
from harness.journal import Journal
from harness.paho import V3, V5, Client
from harness.paho import WebSocketClient as Paho
from harness.presign import presigned
from harness.server import statement
from paho.mqtt.client import WebsocketConnectionError

ALL = statement("Allow", ["iot:*", "sts:*"], "*")
WAIT = 20


@pytest.fixture(scope="module")
def iam(server):
    return aws.client(server, "iam")


@pytest.fixture
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def session_of(server, keys):
    return Keys.of_session(aws.client(server, "sts", keys).get_session_token()["Credentials"])


def assert_ended(journal, name, client, before, after):
    """The client was told, within a second, and so was the journal."""
    assert client.closed.wait(WAIT)
    client.client.loop_stop()
    if client.version == V5:
        assert client.end[2], "MQTT 5 is told by a DISCONNECT"
    told = journal.told(name, eventType="Disconnect")
    told.explains("access key", "aws iam update-access-key --status Active")
    ended = datetime.datetime.fromisoformat(told["timestamp"]).replace(tzinfo=datetime.timezone.utc)
    assert before - datetime.timedelta(seconds=1) < ended < after + datetime.timedelta(seconds=1)


def by_boto3_inactive(server, iam, user, key):
    iam.update_access_key(UserName=user, AccessKeyId=key.id, Status="Inactive")


def by_boto3_deleted(server, iam, user, key):
    iam.delete_access_key(UserName=user, AccessKeyId=key.id)


def by_cli_deleted(server, iam, user, key):
    CLI(server).run("iam", "delete-access-key", "--user-name", user, "--access-key-id", key.id)


def by_thingwire_deleted(server, iam, user, key):
    server.run("key", "delete", key.id)


def by_thingwire_disabled(server, iam, user, key):
    server.run("key", "disable", key.id)


@pytest.mark.parametrize(
    "end", [by_boto3_inactive, by_boto3_deleted, by_cli_deleted, by_thingwire_deleted, by_thingwire_disabled],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_connections_end_with_their_key(server, thing, iam, journal, unique, end):
    """Both versions. The user's other key, a session that the key has made, which stands on its user alone as on AWS, and a
    device stay."""
    user = unique("ending")
    doomed = aws.create_user(server, user, ALL)
    other = iam.create_access_key(UserName=user)["AccessKey"]
    other = Keys(other["AccessKeyId"], other["SecretAccessKey"])
    session = session_of(server, doomed)
    clients = {unique("doomed"): version for version in (V3, V5)}
    clients = {name: Paho.open(server, presigned(server, doomed), name, version) for name, version in clients.items()}
    with (
        Client.open(server, thing, unique("device"), V5) as device,
        Paho.open(server, presigned(server, other), unique("other"), V5) as colleague,
        Paho.open(server, presigned(server, session), unique("session"), V5) as temporary,
    ):
        before = now()
        end(server, iam, user, doomed)
        after = now()
        for name, client in clients.items():
            assert_ended(journal, name, client, before, after)
        # The same URL is refused now.
        with pytest.raises(WebsocketConnectionError):
            Paho(server, presigned(server, doomed), unique("again"), V5)
        for client in (device, colleague, temporary):
            assert client.publish("still/here", b"x", qos=1)[0] in (0, 0x10)


def test_sessions_end_with_their_user(server, iam, journal, unique):
    user, name = unique("leaving"), unique("temporary")
    keys = aws.create_user(server, user, ALL)
    session = session_of(server, keys)
    client = Paho.open(server, presigned(server, session), name, V5)
    iam.delete_access_key(UserName=user, AccessKeyId=keys.id)
    assert client.publish("still/here", b"x", qos=1)[0] in (0, 0x10)
    iam.delete_user_policy(UserName=user, PolicyName="all")
    before = now()
    iam.delete_user(UserName=user)
    assert_ended(journal, name, client, before, now())
    data = aws.client(server, "iot-data", session)
    with pytest.raises(data.exceptions.UnauthorizedException):
        data.publish(topic="a", payload=b"x")


def follows(client, topic, code):
    """A live connection follows a change of its user's policies within a second."""
    deadline = now() + datetime.timedelta(seconds=1)
    while (answer := client.publish(topic, b"probe", qos=1)[0]) != code:
        assert now() < deadline, f"still {answer:#x}"


def test_a_policy_taken_back(server, iam, journal, unique):
    """The connection stays; what it may is what the policy says now."""
    user = unique("narrowed")
    keys, topic = aws.create_user(server, user, ALL), unique("narrowed")
    with Paho.open(server, presigned(server, keys), unique("narrowed"), V5) as client:
        assert client.subscribe(topic) == [1]
        iam.put_user_policy(
            UserName=user, PolicyName="all",
            PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}]}',
        )  # fmt: skip
        follows(client, topic + "/probe", 0x87)
        aws.client(server, "iot-data").publish(topic=topic, qos=1, payload=b"not for you")
        iam.put_user_policy(
            UserName=user, PolicyName="all",
            PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}',
        )  # fmt: skip
        follows(client, topic + "/probe", 0)
        assert client.publish(topic, b"for you", qos=1)[0] == 0
        assert client.texts(1) == ["for you"]
