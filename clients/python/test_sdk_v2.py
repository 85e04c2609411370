"""AWS IoT Device SDK v2 for Python: both of its MQTT clients, on every port that takes a certificate."""

import json

import pytest
from awscrt import mqtt, mqtt5
from harness.sdk_v2 import WAIT, Client5, connection_311
from harness.server import Inbox

# None is what a user gets who names no port: 443, with ALPN x-amzn-mqtt-ca.
PORTS = pytest.mark.parametrize("listener", ["mqtts", None], ids=["mqtts", "443-alpn"])


def port_of(server, listener):
    return server.port(listener) if listener else None


@PORTS
def test_mqtt_311_over_mutual_tls(server, thing, unique, listener):
    connection = connection_311(thing, unique("sdk2"), port_of(server, listener), clean_session=True)
    assert connection.connect().result(WAIT) == {"session_present": False}
    inbox, topic = Inbox(), unique("sdk2/topic")
    future, _ = connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE, lambda **message: inbox.put(message))
    assert future.result(WAIT)["qos"] == mqtt.QoS.AT_LEAST_ONCE
    for n in range(20):
        payload = json.dumps({"n": n})
        connection.publish(topic, payload, mqtt.QoS(n % 2))[0].result(WAIT)
    got = inbox.wait(20)
    assert [json.loads(m["payload"])["n"] for m in got] == list(range(20))
    assert {m["topic"] for m in got} == {topic}
    assert [int(m["qos"]) for m in got] == [n % 2 for n in range(20)]
    assert not any(m["dup"] or m["retain"] for m in got)
    connection.unsubscribe(topic)[0].result(WAIT)
    connection.disconnect().result(WAIT)


@PORTS
def test_mqtt_5_over_mutual_tls(server, thing, unique, listener):
    client_id, topic = unique("sdk2-v5"), unique("sdk2/v5")
    with Client5(thing, client_id, port_of(server, listener)) as client:
        assert client.connack.reason_code == mqtt5.ConnectReasonCode.SUCCESS
        assert not client.connack.session_present
        # message-broker facts, section 2.4: what the service announces.
        assert client.connack.receive_maximum == 100
        assert client.connack.maximum_qos == mqtt5.QoS.AT_LEAST_ONCE
        assert client.connack.retain_available is True
        assert client.connack.maximum_packet_size == 149504
        assert client.connack.topic_alias_maximum == 8
        assert client.connack.wildcard_subscriptions_available is True
        assert client.connack.subscription_identifiers_available is False
        assert client.connack.shared_subscription_available is True
        assert client.connack.server_keep_alive_sec == 1200
        assert client.connack.session_expiry_interval_sec is None
        assert client.settings.client_id == client_id

        assert client.subscribe(topic) == [mqtt5.SubackReasonCode.GRANTED_QOS_1]
        puback = client.publish(
            topic, b'{"value": 23.6}',
            content_type="application/json",
            payload_format_indicator=mqtt5.PayloadFormatIndicator.AWS_MQTT5_PFI_UTF8,
            response_topic=topic + "/answers",
            correlation_data_bytes=b"\x00\x01\xff",
            message_expiry_interval_sec=600,
            user_properties=[mqtt5.UserProperty("a", "1"), mqtt5.UserProperty("b", "2"), mqtt5.UserProperty("a", "3")],
        )  # fmt: skip
        assert puback.reason_code == mqtt5.PubackReasonCode.SUCCESS
        (got,) = client.inbox.wait(1)
        assert (got.topic, got.payload, got.qos) == (topic, b'{"value": 23.6}', mqtt5.QoS.AT_LEAST_ONCE)
        assert got.content_type == "application/json"
        assert got.payload_format_indicator == mqtt5.PayloadFormatIndicator.AWS_MQTT5_PFI_UTF8
        assert got.response_topic == topic + "/answers"
        assert got.correlation_data_bytes == b"\x00\x01\xff"
        assert 590 <= got.message_expiry_interval_sec <= 600
        assert [(p.name, p.value) for p in got.user_properties] == [("a", "1"), ("b", "2"), ("a", "3")]


def test_mqtt_5_assigned_client_id_is_refused_when_taken_by_name(server, thing, unique):
    """An id that begins with $ belongs to the service."""
    client = Client5(thing, "$GEN/" + unique("x"), server.port("mqtts"))
    try:
        assert client.failed.wait(WAIT)
        assert client.failure.connack_packet.reason_code == mqtt5.ConnectReasonCode.CLIENT_IDENTIFIER_NOT_VALID
    finally:
        client.client.stop()
        assert client.stopped.wait(WAIT)


def test_both_versions_talk_to_each_other(server, thing, unique):
    topic = unique("sdk2/both")
    inbox = Inbox()
    three = connection_311(thing, unique("three"), server.port("mqtts"))
    three.connect().result(WAIT)
    three.subscribe(topic + "/to3", mqtt.QoS.AT_LEAST_ONCE, lambda **m: inbox.put(m["payload"]))[0].result(WAIT)
    with Client5(thing, unique("five"), server.port("mqtts")) as five:
        five.subscribe(topic + "/to5")
        three.publish(topic + "/to5", "from 3.1.1", mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT)
        five.publish(topic + "/to3", "from 5", user_properties=[mqtt5.UserProperty("seen by", "5 only")])
        assert five.inbox.wait(1)[0].payload == b"from 3.1.1"
        assert inbox.wait(1) == [b"from 5"]
    three.disconnect().result(WAIT)


def test_session_of_3_and_session_of_5_do_not_mix(server, thing, unique):
    """A persistent session belongs to a client id and a protocol version."""
    client_id, port = unique("either"), server.port("mqtts")
    three = connection_311(thing, client_id, port, clean_session=False)
    assert three.connect().result(WAIT) == {"session_present": False}
    three.disconnect().result(WAIT)
    rejoin = {"session_behavior": mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS, "session_expiry_interval_sec": 600}
    with Client5(thing, client_id, port, **rejoin) as five:
        assert not five.connack.session_present
        assert five.connack.session_expiry_interval_sec == 600
    three = connection_311(thing, client_id, port, clean_session=False)
    assert three.connect().result(WAIT) == {"session_present": True}
    three.disconnect().result(WAIT)


def test_takeover_of_a_client_id(server, thing, unique):
    """The new connection wins; the old one is told 0x8E."""
    client_id, port = unique("taken"), server.port("mqtts")
    # The loser would come back at once and take over in turn: AWS behaves the same. A long pause keeps this one away.
    with Client5(thing, client_id, port, min_reconnect_delay_ms=60_000, max_reconnect_delay_ms=60_000) as first:
        with Client5(thing, client_id, port) as second:
            assert first.lost.wait(WAIT)
            assert first.disconnect is not None, "closed without a DISCONNECT"
            assert first.disconnect.reason_code == mqtt5.DisconnectReasonCode.SESSION_TAKEN_OVER
            topic = unique("sdk2/taken")
            second.subscribe(topic)
            second.publish(topic, b"mine now")
            assert second.inbox.wait(1)[0].payload == b"mine now"


def test_will_and_retained_with_properties(server, thing, unique):
    """All that may be passed on, in a will that is kept, and in the message that deletes it."""
    topic, port = unique("sdk2/will"), server.port("mqtts")
    more = {
        "content_type": "application/json",
        "response_topic": topic + "/answers",
        "correlation_data": b"\x00\xff",
        "user_properties": [mqtt5.UserProperty("a", "1"), mqtt5.UserProperty("a", "2")],
    }
    will = mqtt5.PublishPacket(topic=topic, payload=b"gone", qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True, **more)
    with Client5(thing, unique("watcher"), port) as watcher:
        watcher.subscribe(topic)
        dying = Client5(thing, unique("dying"), port, will=will)
        with dying:
            dying.client.stop(mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE))
            (live,) = watcher.inbox.wait(1)
        watcher.subscribe(topic)
        kept = watcher.inbox.wait(2)[1]
        assert (live.retain, kept.retain) == (False, True)
        for message in (live, kept):
            assert (message.payload, message.content_type, message.response_topic) == (b"gone", "application/json", topic + "/answers")
            assert message.correlation_data_bytes == b"\x00\xff"
            assert [(p.name, p.value) for p in message.user_properties] == [("a", "1"), ("a", "2")]
        watcher.publish(topic, b"", retain=True)
        assert not watcher.inbox.wait(3)[2].payload
        watcher.subscribe(topic)
        watcher.publish(topic, b"marker")
        assert watcher.inbox.wait(4)[3].payload == b"marker"


def test_shared_subscription(server, thing, unique):
    topic, group, port = unique("sdk2/shared"), unique("group"), server.port("mqtts")
    with Client5(thing, unique("a"), port) as a, Client5(thing, unique("b"), port) as b:
        b.inbox = a.inbox
        for member in (a, b):
            assert member.subscribe("$share/{}/{}".format(group, topic)) == [mqtt5.SubackReasonCode.GRANTED_QOS_1]
        sent = ["m{}".format(n).encode() for n in range(30)]
        for payload in sent:
            a.publish(topic, payload)
        assert sorted(m.payload for m in a.inbox.wait(30)) == sorted(sent)


def test_session_resume_message_expiry_and_aliases(server, thing, unique):
    """What waited and is still good comes, in order, and was published under aliases."""
    topic, client_id, port = unique("sdk2/resume"), unique("sdk2"), server.port("mqtts")
    rejoin = {"session_behavior": mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS, "session_expiry_interval_sec": 600}
    with Client5(thing, client_id, port, **rejoin) as sleeper:
        sleeper.subscribe(topic + "/+")
    aliasing = mqtt5.TopicAliasingOptions(
        outbound_behavior=mqtt5.OutboundTopicAliasBehaviorType.LRU, outbound_cache_max_size=2,
        inbound_behavior=mqtt5.InboundTopicAliasBehaviorType.ENABLED, inbound_cache_max_size=2,
    )  # fmt: skip
    names = ["a", "a", "b", "a", "c", "b"]
    with Client5(thing, unique("publisher"), port, topic_aliasing_options=aliasing) as publisher:
        assert publisher.settings.topic_alias_maximum_to_server == 8
        publisher.publish(topic + "/late", b"too late", message_expiry_interval_sec=1)
        publisher.publish(topic + "/kept", b"too late", message_expiry_interval_sec=1, retain=True)
        for name in names:
            publisher.publish(topic + "/" + name, name.encode(), message_expiry_interval_sec=600)
        gone = False
        while not gone:  # asks again until the retained one has expired
            before = len(publisher.inbox.messages)
            publisher.subscribe(topic + "/kept", topic + "/marker")
            publisher.publish(topic + "/marker", b"")
            gone = publisher.inbox.wait(before + 1)[before].topic == topic + "/marker"
            if not gone:
                publisher.inbox.wait(before + 2)
    with Client5(thing, client_id, port, **rejoin) as awake:
        assert awake.connack.session_present
        awake.publish(topic + "/end", b"end")
        got = awake.inbox.wait(len(names) + 2)
    got = [m for m in got if not m.topic.endswith("/marker")]
    assert [(m.topic, m.payload) for m in got[: len(names)]] == [(topic + "/" + n, n.encode()) for n in names]
    assert all(590 < m.message_expiry_interval_sec <= 600 for m in got[: len(names)])


def test_refusals_in_words(server, unique):
    """Codes and reason strings of all four answers."""
    scoped = server.create_thing(unique("scoped"), "thing-scoped")
    port = server.port("mqtts")
    refused = Client5(scoped, "somebody-else", port)
    assert refused.failed.wait(WAIT)
    assert "iot:Connect on client/somebody-else" in refused.failure.connack_packet.reason_string
    refused.client.stop()
    assert refused.stopped.wait(WAIT)
    with Client5(scoped, scoped.name, port, min_reconnect_delay_ms=60_000, max_reconnect_delay_ms=60_000) as client:
        packet = mqtt5.SubscribePacket([mqtt5.Subscription("other/topic", mqtt5.QoS.AT_LEAST_ONCE)])
        suback = client.client.subscribe(packet).result(WAIT)
        assert suback.reason_codes == [mqtt5.SubackReasonCode.NOT_AUTHORIZED]
        assert "iot:Subscribe on topicfilter/other/topic" in suback.reason_string
        puback = client.publish("other/topic", b"no")
        assert puback.reason_code == mqtt5.PubackReasonCode.NOT_AUTHORIZED
        assert "iot:Publish on topic/other/topic" in puback.reason_string
        client.publish("other/topic", b"no", qos=mqtt5.QoS.AT_MOST_ONCE)
        assert client.lost.wait(WAIT)
        assert client.disconnect.reason_code == mqtt5.DisconnectReasonCode.NOT_AUTHORIZED
        assert "iot:Publish on topic/other/topic" in client.disconnect.reason_string
