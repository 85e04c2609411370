"""Operations that the policy does not allow, as AWS IoT Core answers them on the wire (measured on 8883, both versions)."""

import re
import threading

import pytest
from awscrt import mqtt, mqtt5
from harness import mosquitto, rawmqtt
from harness.rawmqtt import V3, V5
from harness.sdk_v2 import WAIT, Client5, connection_311
from harness.server import arn, policy, statement

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
NOT_AUTHORIZED = 0x87
# The reason in words, then a trace id.
TRACE = r"not allowed to (connect|publish) .+; nearest is policy .+:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def scoped(server, unique):
    """A thing with the built-in thing-scoped policy: its own client id, and topics below its own name."""
    return server.create_thing(unique("scoped"), "thing-scoped")


def open_scoped(server, scoped, version):
    return rawmqtt.Client.open(server.address("mqtts"), scoped, scoped.name, version)


@VERSIONS
def test_the_scoped_thing_may_do_its_own(server, scoped, version):
    with open_scoped(server, scoped, version) as client:
        assert client.subscribe(scoped.name + "/#") == [1]
        pid = client.publish(scoped.name + "/data", b"mine", qos=1)
        got = {p.type: p for p in (client.read(), client.read())}
        assert got[rawmqtt.PUBACK].packet_id == pid and got[rawmqtt.PUBACK].code == 0
        assert got[rawmqtt.PUBLISH].publish()[:2] == (scoped.name + "/data", b"mine")


def test_connect_v3_is_closed_without_connack(server, scoped):
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(scoped)), V3)
    client.send(rawmqtt.connect_packet("somebody-else", V3))
    client.expect_closed()


def test_connect_v5_gets_0x87_and_a_reason(server, scoped):
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(scoped)), V5)
    connack = client.connect("somebody-else")
    assert (connack.type, connack.code) == (rawmqtt.CONNACK, NOT_AUTHORIZED)
    assert re.fullmatch("CONNACK:" + TRACE, connack.properties[rawmqtt.REASON_STRING])
    client.expect_closed()


def test_connect_v5_without_problem_information_gets_no_reason(server, scoped):
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(scoped)), V5)
    connack = client.connect("somebody-else", props={0x17: 0})
    assert connack.code == NOT_AUTHORIZED and rawmqtt.REASON_STRING not in connack.properties
    client.expect_closed()


def test_subscribe_v3_is_closed_without_suback(server, scoped):
    with open_scoped(server, scoped, V3) as client:
        client.send(rawmqtt.subscribe_packet(["other/topic"], 7, V3))
        client.expect_closed()


def test_subscribe_v5_gets_0x87_for_the_filter_and_stays(server, scoped):
    with open_scoped(server, scoped, V5) as client:
        assert client.subscribe("other/topic") == [NOT_AUTHORIZED]
        client.expect_alive()
        assert client.subscribe(scoped.name + "/a", "other/topic", "#", scoped.name + "/b") == [1, NOT_AUTHORIZED, NOT_AUTHORIZED, 1]
        client.expect_alive()


def test_publish_qos1_v3_is_closed_without_puback(server, scoped):
    with open_scoped(server, scoped, V3) as client:
        client.publish("other/topic", b"no", qos=1)
        client.expect_closed()


def test_publish_qos1_v5_gets_0x87_and_stays(server, scoped):
    with open_scoped(server, scoped, V5) as client:
        pid = client.publish("other/topic", b"no", qos=1)
        puback = client.expect(rawmqtt.PUBACK)
        assert (puback.packet_id, puback.code) == (pid, NOT_AUTHORIZED)
        client.expect_alive()
        allowed = client.publish(scoped.name + "/data", b"yes", qos=1)
        puback = client.expect(rawmqtt.PUBACK)
        assert (puback.packet_id, puback.code) == (allowed, 0)


def test_publish_qos0_v3_is_closed(server, scoped):
    with open_scoped(server, scoped, V3) as client:
        client.publish("other/topic", b"no", qos=0)
        client.expect_closed()


def test_publish_qos0_v5_gets_disconnect_0x87_with_a_reason(server, scoped):
    with open_scoped(server, scoped, V5) as client:
        client.publish("other/topic", b"no", qos=0)
        disconnect = client.expect(rawmqtt.DISCONNECT)
        assert disconnect.code == NOT_AUTHORIZED
        assert re.fullmatch("DISCONNECT:" + TRACE, disconnect.properties[rawmqtt.REASON_STRING])
        client.expect_closed()


def test_what_came_before_a_refusal_on_v3_is_kept(server, thing, scoped, unique):
    """One write with three QoS 1 messages of which the second is refused: the first counts, the third never happened."""
    watcher = rawmqtt.Client.open(server.address("mqtts"), thing, unique("watcher"))
    assert watcher.subscribe(scoped.name + "/#", "other/#") == [1, 1]
    with open_scoped(server, scoped, V3) as client:
        topics = [scoped.name + "/first", "other/second", scoped.name + "/third"]
        client.send(b"".join(rawmqtt.publish_packet(t, b"x", 1, pid) for pid, t in enumerate(topics, 1)))
        assert client.expect(rawmqtt.PUBACK).packet_id == 1
        client.expect_closed()
    mosquitto.publish(server, thing, scoped.name + "/end", "x")
    got = [watcher.expect(rawmqtt.PUBLISH).publish()[0] for _ in range(2)]
    assert got == [scoped.name + "/first", scoped.name + "/end"]
    watcher.close()


@VERSIONS
def test_receive_is_silent_and_spares_the_publisher(server, thing, unique, version):
    """Subscribed, but not allowed to receive one of the topics: nothing arrives, nobody is told."""
    base = unique("receive")
    deaf = server.create_thing(unique("deaf"), policy(
        statement("Allow", ["iot:Connect", "iot:Subscribe"], "*"),
        statement("Allow", "iot:Receive", arn("topic/{}/open".format(base))),
    ))  # fmt: skip
    with rawmqtt.Client.open(server.address("mqtts"), deaf, unique("deaf"), version) as client:
        assert client.subscribe(base + "/#") == [1]
        publisher = rawmqtt.Client.open(server.address("mqtts"), thing, unique("publisher"), version)
        for topic in ("secret", "open", "secret", "open"):
            pid = publisher.publish(base + "/" + topic, topic.encode(), qos=1)
            puback = publisher.expect(rawmqtt.PUBACK)
            assert (puback.packet_id, puback.code) == (pid, 0)
        publisher.close()
        assert [client.expect(rawmqtt.PUBLISH).publish()[1] for _ in range(2)] == [b"open", b"open"]
        client.expect_alive()


@VERSIONS
def test_explicit_deny_wins(server, unique, version):
    name = unique("denied")
    one = server.create_thing(name, policy(
        statement("Allow", "*", "*"),
        statement("Deny", "iot:Publish", arn("topic/forbidden/*")),
    ))  # fmt: skip
    with rawmqtt.Client.open(server.address("mqtts"), one, name, version) as client:
        client.publish("allowed", b"x", qos=1)
        assert client.expect(rawmqtt.PUBACK).code == 0
        client.publish("forbidden/x", b"x", qos=1)
        if version == V3:
            client.expect_closed()
        else:
            assert client.expect(rawmqtt.PUBACK).code == NOT_AUTHORIZED


@VERSIONS
def test_will_on_a_forbidden_topic(server, scoped, version):
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(scoped)), version)
    client.send(rawmqtt.connect_packet(scoped.name, version, will=("other/topic", "gone", 1)))
    if version == V5:
        assert client.expect(rawmqtt.CONNACK).code == NOT_AUTHORIZED
    client.expect_closed()


def test_the_sdk_sees_a_refused_connect(server, scoped):
    """What the SDK makes of it: 3.1.1 reports a connection that ended, 5 the reason."""
    connection = connection_311(scoped, "somebody-else", server.port("mqtts"))
    with pytest.raises(Exception, match="UNEXPECTED_HANGUP|CLOSED"):
        connection.connect().result(WAIT)
    client = Client5(scoped, "somebody-else", server.port("mqtts"))
    try:
        assert client.failed.wait(WAIT)
        assert client.failure.connack_packet.reason_code == mqtt5.ConnectReasonCode.NOT_AUTHORIZED
    finally:
        client.client.stop()
        assert client.stopped.wait(WAIT)


def test_the_sdk_sees_refused_operations_on_5(server, scoped):
    with Client5(scoped, scoped.name, server.port("mqtts")) as client:
        assert client.subscribe("other/topic", scoped.name + "/ok") == [
            mqtt5.SubackReasonCode.NOT_AUTHORIZED,
            mqtt5.SubackReasonCode.GRANTED_QOS_1,
        ]
        assert client.publish("other/topic", b"no").reason_code == mqtt5.PubackReasonCode.NOT_AUTHORIZED
        assert client.publish(scoped.name + "/ok", b"yes").reason_code == mqtt5.PubackReasonCode.SUCCESS
        assert client.inbox.wait(1)[0].payload == b"yes"


def test_the_sdk_loses_the_connection_on_311(server, scoped):
    interrupted = threading.Event()
    connection = connection_311(
        scoped, scoped.name, server.port("mqtts"), clean_session=True, reconnect_min_timeout_secs=1,
        reconnect_max_timeout_secs=2, on_connection_interrupted=lambda **_: interrupted.set(),
    )  # fmt: skip
    connection.connect().result(WAIT)
    connection.publish("other/topic", "no", mqtt.QoS.AT_MOST_ONCE)
    assert interrupted.wait(WAIT)
    connection.disconnect().result(WAIT)


@VERSIONS
def test_takeover(server, thing, unique, version):
    """The second CONNECT of a client id ends the first connection before its own CONNACK."""
    client_id = unique("taken")
    first = rawmqtt.Client.open(server.address("mqtts"), thing, client_id, version)
    with rawmqtt.Client.open(server.address("mqtts"), thing, client_id, version) as second:
        if version == V5:
            assert first.expect(rawmqtt.DISCONNECT).code == 0x8E
        first.expect_closed()
        second.expect_alive()
    first.close()


@VERSIONS
def test_deactivating_a_certificate_ends_its_connections(server, unique, version):
    one = server.create_thing(unique("revoked"))
    with rawmqtt.Client.open(server.address("mqtts"), one, one.name, version) as client:
        client.expect_alive()
        server.set_certificate_status(one, "INACTIVE")
        if version == V5:
            assert client.expect(rawmqtt.DISCONNECT, timeout=2).code in (NOT_AUTHORIZED, 0x98)
        client.expect_closed(timeout=2)
    # And it may come back when it is active again.
    server.set_certificate_status(one, "ACTIVE")
    with rawmqtt.Client.open(server.address("mqtts"), one, one.name, version) as client:
        client.expect_alive()
