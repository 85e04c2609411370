"""MQTT over WebSocket with AWS's signatures, by the SDKs of both generations, by paho with a URL that botocore signed, and
through a real HTTP proxy."""

import os
import pathlib
import socket
import sys
import threading

import pytest
from awscrt import mqtt
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient
from harness import aws
from harness.aws import Keys
from harness.journal import Journal
from harness.paho import V3, V5, Client, Will
from harness.paho import WebSocketClient as Paho
from harness.presign import presigned
from harness.proxy import Tinyproxy
from harness.sdk_v2 import WAIT, WebSocket5, websocket_311
from harness.server import BINARY, Inbox, Process, arn, statement

# The SDK of 2015 takes endpoints of AWS's only, by the looks of their names: this one is in every server's certificate.
AWS_NAME = "thingwire-ats.iot.us-east-1.amazonaws.localhost"
TUTORIAL = [sys.executable, str(pathlib.Path(__file__).parent / "tutorial" / "pubsub.py")]
KINDS = pytest.mark.parametrize("kind", ["long-term", "session"])
VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])


@pytest.fixture(scope="module")
def session(server):
    """Credentials of STS."""
    return Keys.of_session(aws.client(server, "sts").get_session_token()["Credentials"])


@pytest.fixture
def keys(server, session, kind):
    return session if kind == "session" else server.keys


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    proxy = Tinyproxy(tmp_path_factory.mktemp("proxy"))
    yield proxy
    proxy.close()


def talk_to_oneself_311(connection, topic):
    """Both qualities of service, there and back on one connection."""
    inbox = Inbox()
    connection.connect().result(WAIT)
    future, _ = connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, lambda topic, payload, **_: inbox.put((topic, payload)))
    assert future.result(WAIT)["qos"] == mqtt.QoS.AT_LEAST_ONCE
    payloads = [b"one", os.urandom(128 * 1024), b"", b"last"]
    for payload in payloads:
        connection.publish(topic, payload, mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT)
    assert inbox.wait(len(payloads)) == [(topic, p) for p in payloads]
    connection.disconnect().result(WAIT)


def talk_to_oneself_5(client, topic):
    with client:
        assert client.subscribe(topic) == [1]
        payloads = [b"one", os.urandom(128 * 1024), b"last"]
        for payload in payloads:
            client.publish(topic, payload, content_type="application/octet-stream")
        got = client.inbox.wait(len(payloads))
        assert [(m.topic, m.payload, m.content_type) for m in got] == [(topic, p, "application/octet-stream") for p in payloads]


@KINDS
@pytest.mark.parametrize("listener", ["shared", "api"])
def test_sdk_v2_311(server, unique, keys, listener):
    """On 443 the SDK offers http/1.1 by ALPN, on any other port nothing."""
    port = server.port(listener) if listener != "shared" else None
    talk_to_oneself_311(websocket_311(server, keys, unique("ws311"), port), unique("ws/311"))


@KINDS
@pytest.mark.parametrize("listener", ["shared", "api"])
def test_sdk_v2_5(server, unique, keys, listener):
    port = server.port(listener) if listener != "shared" else None
    talk_to_oneself_5(WebSocket5(server, keys, unique("ws5"), port), unique("ws/5"))


@KINDS
def test_sdk_v2_through_a_proxy(server, unique, keys, proxy):
    seen = proxy.seen
    talk_to_oneself_311(websocket_311(server, keys, unique("proxy311"), proxy=proxy.port), unique("proxy/311"))
    proxy.wait_for_tunnel("localhost:443", after=seen)
    seen = proxy.seen
    talk_to_oneself_5(WebSocket5(server, keys, unique("proxy5"), proxy=proxy.port), unique("proxy/5"))
    proxy.wait_for_tunnel("localhost:443", after=seen)


def tutorial(server, keys, program, *flags):
    """Runs pubsub as seed 002 has it, with the keys in the environment, which the default chain finds."""
    argv = [*program, "--endpoint", "localhost", "--root-ca", server.ca, "--use-websocket", "--signing-region", "us-east-1",
            "--topic", "topic_1", "--count", "2", *map(str, flags)]  # fmt: skip
    env = {**aws.bare_environment(server.folder), **keys.environment()}
    return Process(argv, cwd=server.folder, env=env)


@pytest.mark.parametrize("kind, way", [("long-term", "direct"), ("session", "proxy")])
@pytest.mark.parametrize("program", [TUTORIAL, [BINARY, "pubsub"]], ids=["sdk", "thingwire"])
def test_tutorial(server, keys, proxy, program, way):
    """pubsub.py of the tutorial with --use-websocket on port 443, and `thingwire pubsub` with the same flags."""
    seen = proxy.seen
    flags = ["--proxy-host", "127.0.0.1", "--proxy-port", proxy.port] if way == "proxy" else []
    process = tutorial(server, keys, program, *flags)
    assert process.finish() == 0, process.output()
    assert "Received message from topic 'topic_1': b'Hello World! [2]'" in process.lines, process.output()
    assert process.lines[-3:] == ["2 message(s) received.", "Disconnecting...", "Disconnected!"]
    if way == "proxy":
        proxy.wait_for_tunnel("localhost:443", after=seen)


@pytest.fixture
def led_to_loopback(monkeypatch):
    """The name leads to this machine, inside this process."""
    ask = socket.getaddrinfo

    def answer(host, *args, **kwargs):
        return ask("127.0.0.1" if host == AWS_NAME else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@KINDS
@pytest.mark.parametrize("listener", ["shared", "api"])
def test_sdk_v1(server, unique, keys, led_to_loopback, listener):
    """AWSIoTPythonSDK with useWebsocket: a key of 128 bytes, an answer it reads letter by letter, frames it cuts itself."""
    topic, inbox = unique("ws/sdk1"), Inbox()
    client = AWSIoTMQTTClient(unique("ws-sdk1"), useWebsocket=True)
    client.configureEndpoint(AWS_NAME, server.port(listener))
    client.configureCredentials(server.ca)
    client.configureIAMCredentials(keys.id, keys.secret, keys.token or "")
    client.configureConnectDisconnectTimeout(10)
    client.configureMQTTOperationTimeout(10)
    assert client.connect(30)
    try:
        assert client.subscribe(topic, 1, lambda _client, _userdata, message: inbox.put((message.topic, message.payload)))
        payloads = [b"one", bytes(range(256)) * 300, b"last"]
        for payload in payloads:
            assert client.publish(topic, bytearray(payload), 1)
        assert inbox.wait(len(payloads)) == [(topic, p) for p in payloads]
        assert client.unsubscribe(topic)
    finally:
        client.disconnect()


@VERSIONS
@pytest.mark.parametrize("service", ["iotdevicegateway", "iotdata"])
@pytest.mark.parametrize("token", ["none", "behind", "signed"])
def test_a_presigned_url(server, thing, session, unique, version, service, token):
    """By botocore's generic signer, to paho: both services, the token where AWS IoT has it and where all others do."""
    keys = server.keys if token == "none" else session
    topic = unique("ws/presigned")
    with (
        Client.open(server, thing, unique("mtls"), V5) as watcher,
        Paho.open(server, presigned(server, keys, service=service, token=token), unique("presigned"), version) as client,
    ):
        assert watcher.subscribe(topic) == [1] and client.subscribe(topic) == [1]
        client.publish(topic, b"from the page", qos=1)
        watcher.publish(topic, b"from the device", qos=1)
        assert client.texts(2) == watcher.texts(2) == ["from the page", "from the device"]


def test_a_url_may_be_used_again_while_it_is_valid(server, unique):
    url = presigned(server, server.keys, expires=60)
    for _ in range(2):
        with Paho.open(server, url, unique("again"), V5):
            pass


@VERSIONS
def test_a_session_outlives_its_connection(server, thing, unique, version):
    """Persistent sessions, and a takeover between the doors: one client id, over TLS and over WebSocket."""
    client_id, topic = unique("roamer"), unique("ws/roaming")
    keep = {"SessionExpiryInterval": 300} if version == V5 else {}
    url = presigned(server, server.keys)
    with Paho.open(server, url, client_id, version, clean=False, **keep) as client:
        assert client.subscribe(topic) == [1]
    aws.client(server, "iot-data").publish(topic=topic, qos=1, payload=b"while away")
    with Client.open(server, thing, client_id, version, clean=False, **keep) as client:
        assert client.session_present and client.texts(1) == ["while away"]
        with Paho.open(server, url, client_id, version, clean=False, **keep) as again:
            assert client.closed.wait(WAIT)
            if version == V5:
                assert client.end[0] == 0x8E
            assert again.session_present


def test_events_name_the_principal(server, thing, unique):
    """A will when the connection breaks; lifecycle events with account and user."""
    client_id, topic = unique("mourned"), unique("ws/will")
    user = aws.client(server, "sts").get_caller_identity()["UserId"]
    with Client.open(server, thing, unique("watcher"), V5) as watcher:
        assert watcher.subscribe(topic, "$aws/events/presence/+/" + client_id) == [1, 1]
        client = Paho.open(server, presigned(server, server.keys), client_id, V5, will=Will(topic, "gone"))
        client.drop()
        got = {m.topic: m.payload.decode() for m in watcher.inbox.wait(3)}
    assert got[topic] == "gone"
    connected = got["$aws/events/presence/connected/" + client_id]
    assert '"principalIdentifier":"000000000000/{}"'.format(user) in connected.replace(" ", "")
    assert "CONNECTION_LOST" in got["$aws/events/presence/disconnected/" + client_id]


@VERSIONS
def test_policies_of_the_user(server, unique, version):
    """What the user's policies do not allow is refused as it is to a device."""
    keys = aws.create_user(
        server, unique("narrow"),
        statement("Allow", "iot:Connect", arn("client/narrow-*")),
        statement("Allow", "iot:Subscribe", arn("topicfilter/mine/#")),
        statement("Allow", ["iot:Publish", "iot:Receive"], arn("topic/mine/*")),
    )  # fmt: skip
    journal = Journal(server)
    try:
        with Paho.open(server, presigned(server, keys), unique("narrow-ok"), version) as client:
            assert client.subscribe("mine/#") == [1]
            client.publish("mine/a", b"x", qos=1)
            assert client.texts(1) == ["x"]
            if version == V5:
                assert client.subscribe("theirs/#") == [0x87]
                assert client.publish("theirs/a", b"x", qos=1)[0] == 0x87
        stranger = unique("stranger")
        client = Paho(server, presigned(server, keys), stranger, version)
        assert client.closed.wait(WAIT)
        if version == V5:
            assert client.connack[0] == 0x87
        told = journal.told(stranger, eventType="Connect", status="Failure")
        told.explains("iot:Connect", "policy")
    finally:
        journal.close()


def test_many_at_once(server, thing, unique):
    """Twenty connections that talk at the same time, over one listener with HTTP requests between them."""
    topic, boto = unique("ws/crowd"), aws.client(server, "iot-data")
    clients = [Paho.open(server, presigned(server, server.keys), unique("crowd"), V3 if n % 2 else V5) for n in range(20)]
    try:
        for client in clients:
            assert client.subscribe(topic) == [1]
        threads = [threading.Thread(target=c.publish, args=(topic, str(n)), kwargs={"qos": 1}) for n, c in enumerate(clients)]
        for thread in threads:
            thread.start()
        boto.publish(topic=topic, qos=1, payload=b"http")
        for thread in threads:
            thread.join(WAIT)
        want = sorted([*map(str, range(20)), "http"])
        for client in clients:
            assert sorted(client.texts(21)) == want
    finally:
        for client in clients:
            client.disconnect()
