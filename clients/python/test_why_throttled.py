"""`thingwire why` explains what a throttle did: every row of AWS's table (message-broker facts 2.8), on a server with
AWS's own limits.

Rows without a test of their own:

- 3000 CONNECT per second of the whole account: TLS handshakes at that rate are beyond what a test machine can do
- more than 512 KB/s on one connection is only delayed: nobody is refused anything, so there is nothing to explain
- more than 100 unacknowledged messages on 3.1.1: they are only read later
"""

import pytest
from harness import mosquitto, rawmqtt
from harness.journal import Journal
from harness.paho import V3, V5, Client
from harness.server import Server

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
QUOTA_EXCEEDED = 0x97


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with every number of AWS's quotas."""
    server = Server(tmp_path_factory.mktemp("thingwire"), flags=["--limits", "aws"]).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


@VERSIONS
def test_connects_of_one_client(server, thing, journal, unique, version):
    """The second CONNECT within a second."""
    client_id = unique("hasty")
    with Client.open(server, thing, client_id, version):
        again = Client(server, thing, client_id, version)
        assert again.closed.wait(20)
        if version == V5:
            assert again.connack[0] == QUOTA_EXCEEDED
    told = journal.told(client_id, eventType="Connect", status="Failure")
    assert (told["reason"], told["packet"], told["reasonCode"]) == ("THROTTLED", "CONNECT", QUOTA_EXCEEDED)
    told.explains("more than 1 CONNECT per second", "wait")


@VERSIONS
def test_publishes_of_one_connection(server, thing, journal, unique, version):
    """More than 100 in a second: the rest is discarded without a word on the wire."""
    client_id, topic = unique("chatty"), unique("throttled/chatty")
    with Client.open(server, thing, client_id, version) as client:
        for n in range(400):
            client.send(topic, str(n), qos=0)
        told = journal.told(client_id, eventType="Publish-In", status="Failure")
    assert (told["reason"], told["packet"], told["topicName"]) == ("THROTTLED", "PUBLISH", topic)
    told.explains(["messages per second", "discarded without PUBACK"], "publish more slowly")


def test_unacknowledged_messages(server, thing, journal, unique):
    """More than the Receive Maximum at once. A persistent subscriber makes the server write before it can acknowledge."""
    client_id, topic = unique("flood"), unique("throttled/flood")
    mosquitto.subscribe(server, thing, topic, "-c", "-E", client_id=unique("sleeper")).finish()
    flood = b"".join(rawmqtt.publish_packet(topic, b"x", 1, pid, rawmqtt.V5) for pid in range(1, 1001))
    client = rawmqtt.Client.open(server.address("mqtts"), thing, client_id, rawmqtt.V5)
    client.send(flood)
    got = client.read()
    while got.type == rawmqtt.PUBACK:
        got = client.read()
    assert (got.type, got.code) == (rawmqtt.DISCONNECT, 0x93)
    told = journal.told(client_id, eventType="Disconnect", disconnectReason="CLIENT_ERROR")
    assert (told["reasonCode"], told["packet"]) == (0x93, "PUBLISH")
    told.explains("Receive Maximum of 100", "wait for PUBACKs")


@VERSIONS
def test_filters_of_one_request(server, thing, journal, unique, version):
    client_id = unique("greedy")
    client = Client.open(server, thing, client_id, version)
    mid = client.send_subscribe(*["throttled/{}".format(n) for n in range(9)])
    if version == V5:
        assert client.answer(mid)[0] == [QUOTA_EXCEEDED] * 9
        told = journal.told(client_id, eventType="Subscribe", status="Failure")
    else:
        assert client.closed.wait(20)
        told = journal.told(client_id, eventType="Disconnect", disconnectReason="THROTTLED")
    assert (told["reason"], told["packet"], told["reasonCode"]) == ("THROTTLED", "SUBSCRIBE", QUOTA_EXCEEDED)
    told.explains("9 filters: at most 8", " ")


@VERSIONS
def test_subscriptions_of_one_connection(server, thing, journal, unique, version):
    client_id = unique("many")
    with Client.open(server, thing, client_id, version) as client:
        for n in range(10):
            assert client.subscribe(*["throttled/{}/{}".format(n, m) for m in range(5)]) == [1] * 5
        assert client.subscribe("throttled/one/more") == [QUOTA_EXCEEDED if version == V5 else 0x80]
        told = journal.told(client_id, eventType="Subscribe", status="Failure")
    assert (told["reason"], told["topicName"]) == ("THROTTLED", "throttled/one/more")
    told.explains("50", "use wildcards")


def test_subscribes_of_the_account(server, thing, journal, unique):
    """3000 SUBSCRIBE in a second."""
    client_id = unique("restless")
    client = rawmqtt.Client.open(server.address("mqtts"), thing, client_id, rawmqtt.V5)
    one = [rawmqtt.subscribe_packet(["throttled/again"], pid, rawmqtt.V5) for pid in range(1, 501)]
    refused = False
    for _ in range(40):
        client.send(b"".join(one))
        refused = any([client.expect(rawmqtt.SUBACK).codes == [QUOTA_EXCEEDED] for _ in one])
        if refused:
            break
    assert refused, "20000 SUBSCRIBE were all accepted"
    client.close()
    told = journal.told(client_id, eventType="Subscribe", status="Failure")
    assert told["reason"] == "THROTTLED"
    told.explains("3000", " ")


@VERSIONS
def test_retained_messages_of_one_topic(server, thing, journal, unique, version):
    """Delivered, but not kept."""
    client_id, topic = unique("keeper"), unique("throttled/kept")
    with Client.open(server, thing, client_id, version) as client:
        assert client.subscribe(topic) == [1]
        for text in ("first", "second"):
            assert client.publish(topic, text, retain=True)[0] == 0
        assert client.texts(2) == ["first", "second"]
        assert client.subscribe(topic) == [1]
        assert client.texts(3)[2] == "first"
    told = journal.told(client_id, eventType="Publish-In", status="Failure")
    assert (told["reason"], told["topicName"], told["retain"]) == ("THROTTLED", topic, "True")
    told.explains("retained message", "once a second")


def test_messages_that_are_queued(server, thing, journal, unique):
    """More than 500 in a second for clients that are away: the story of the one that misses them."""
    client_id, topic = unique("sleeper"), unique("throttled/queued")
    mosquitto.subscribe(server, thing, topic, "-c", "-E", client_id=client_id).finish()
    publishers = [rawmqtt.Client.open(server.address("mqtts"), thing, unique("publisher")) for _ in range(12)]
    batch = b"".join(rawmqtt.publish_packet(topic, b"x", 1, pid) for pid in range(1, 91))
    for publisher in publishers:
        publisher.send(batch)
    for publisher in publishers:
        for _ in range(90):
            publisher.expect(rawmqtt.PUBACK)
        publisher.close()
    told = journal.told(client_id, eventType="Queued", status="Failure")
    assert told["details"] == "Throttled while queueing offline message"
    told.explains("Throttled while queueing offline message", "session")


@VERSIONS
def test_throughput_is_delayed_not_dropped(server, thing, unique, version):
    """More than 512 KB/s: all arrives."""
    topic = unique("throttled/wide")
    with Client.open(server, thing, unique("wide"), version) as client:
        assert client.subscribe(topic, qos=0) == [0]
        mids = [client.send(topic, "x" * 120_000) for _ in range(8)]
        assert [client.answer(mid)[0] for mid in mids] == [0] * 8
        assert len(client.texts(8)) == 8
