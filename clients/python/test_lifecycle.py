"""Lifecycle events: who connects, subscribes and leaves is told on $aws/events/…, in AWS's words."""

import json
import re

import pytest
from harness import rawmqtt
from harness.rawmqtt import V3, V5

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def events(server, thing, unique):
    """Watches the events of one client id; next(kind) is the next event, which must be of that kind."""

    class Events:
        def __init__(self):
            self.client_id = unique("watched")
            self._client = rawmqtt.Client.open(server.address("mqtts"), thing, unique("watcher"))
            filters = ["$aws/events/presence/+/" + self.client_id, "$aws/events/subscriptions/+/" + self.client_id]
            assert self._client.subscribe(*filters) == [1, 1]

        def next(self, kind):
            topic, payload, _, _ = self._client.expect(rawmqtt.PUBLISH).publish()
            event = json.loads(payload)
            assert topic.split("/")[2:] == ["subscriptions" if "subscribed" in kind else "presence", kind, self.client_id]
            assert (event["eventType"], event["clientId"]) == (kind, self.client_id)
            assert isinstance(event["timestamp"], int) and UUID.fullmatch(event["sessionIdentifier"])
            return event

    return Events()


@VERSIONS
def test_the_events_of_a_regular_life(server, thing, events, version):
    with rawmqtt.Client.open(server.address("mqtts"), thing, events.client_id, version) as client:
        connected = events.next("connected")
        assert connected["principalIdentifier"] == thing.certificate_id
        assert (connected["ipAddress"], connected["versionNumber"]) == ("127.0.0.1", 0)
        assert "thingName" not in connected  # its thing is not attached exclusively
        assert client.subscribe("a/b", "c/#") == [1, 1]
        assert events.next("subscribed")["topics"] == ["a/b", "c/#"]
        client.disconnect()
    disconnected = events.next("disconnected")
    assert disconnected["sessionIdentifier"] == connected["sessionIdentifier"]
    assert (disconnected["versionNumber"], disconnected["clientInitiatedDisconnect"]) == (0, True)
    assert disconnected["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"
    assert "ipAddress" not in disconnected


def test_the_reasons_of_an_end(server, thing, events):
    """Lost, taken over, wrong: each has its name, and the version counts the connections."""
    address = server.address("mqtts")
    rawmqtt.Client.open(address, thing, events.client_id).close()
    assert events.next("connected")["versionNumber"] == 0
    assert events.next("disconnected")["disconnectReason"] == "CONNECTION_LOST"

    first = rawmqtt.Client.open(address, thing, events.client_id)
    assert events.next("connected")["versionNumber"] == 1
    second = rawmqtt.Client.open(address, thing, events.client_id)
    # Two connections are told of by two goroutines: in either order.
    told = [json.loads(events._client.expect(rawmqtt.PUBLISH).publish()[1]) for _ in range(2)]
    (left,) = [e for e in told if e["eventType"] == "disconnected"]
    assert (left["disconnectReason"], left["versionNumber"]) == ("DUPLICATE_CLIENTID", 1)
    assert not left["clientInitiatedDisconnect"]
    first.close()

    second.send(rawmqtt.packet(rawmqtt.PUBLISH, b"\x00\x01a\x00\x01x", 0x04))  # QoS 2
    assert events.next("disconnected")["disconnectReason"] == "CLIENT_ERROR"
    second.close()


def test_a_refused_connect(server, events):
    scoped = server.create_thing(events.client_id + "-not", "thing-scoped")
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(scoped)))
    client.send(rawmqtt.connect_packet(events.client_id))
    client.expect_closed()
    failed = events.next("connect_failed")
    assert failed["connectFailureReason"] == "AUTHORIZATION_FAILED"
    assert (failed["ipAddress"], failed["principalIdentifier"]) == ("127.0.0.1", scoped.certificate_id)
