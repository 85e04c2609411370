"""Lifecycle events: who connects, subscribes and leaves is told on $aws/events/…, in AWS's words."""

import json
import re

import pytest
from harness import mosquitto, rawmqtt
from harness.paho import V3 as PAHO_V3
from harness.paho import V5 as PAHO_V5
from harness.paho import Client
from harness.rawmqtt import V3, V5
from harness.server import Inbox, arn

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


def exactly(event, *more):
    """All the fields of an event, and no other."""
    always = {"clientId", "timestamp", "eventType", "sessionIdentifier", "principalIdentifier"}
    assert set(event) == always | set(more)
    return event


@pytest.mark.parametrize("version", ["311", "5"])
def test_seen_by_mosquitto_sub(server, thing, unique, version):
    """What a user sees who watches with mosquitto_sub while mosquitto_sub and paho come and go: every field, exactly."""
    client_id, inbox = unique("watched"), Inbox()
    watcher = mosquitto.subscribe(
        server, thing, "$aws/events/#", "-F", "%j", "-V", version, client_id=unique("watcher"), inbox=inbox, qos=0
    )

    def events(count):
        messages = [json.loads(line) for line in inbox.wait(count)]
        found = [m for m in messages if m["topic"].endswith("/" + client_id)]
        return [(m["topic"], json.loads(m["payload"]), m["qos"], m["retain"]) for m in found]

    def wait(count):
        """The first so many events of the client; others' come in between."""
        seen = count
        while len(events(seen)) < count:
            seen = len(inbox.messages) + 1
        return events(seen)

    one = server.create_thing(client_id)
    server.admin("DELETE", "/things/{}/principals".format(client_id), headers={"x-amzn-principal": certificate_arn(one)})
    path = "/things/{}/principals?thingPrincipalType=EXCLUSIVE_THING".format(client_id)
    server.admin("PUT", path, headers={"x-amzn-principal": certificate_arn(one)})

    # mosquitto_sub that leaves after its first message.
    leaver = mosquitto.subscribe(server, one, "life/+", "-t", "life/b/#", "-C", "1", "-V", version, client_id=client_id)
    mosquitto.publish(server, thing, "life/a", "leave", client_id=unique("publisher"))
    assert leaver.finish() == 0
    # paho that unsubscribes and then is lost, of the other version.
    with Client.open(server, one, client_id, PAHO_V5 if version == "311" else PAHO_V3) as client:
        assert client.subscribe("life/c") == [1]
        client.unsubscribe("life/c", "life/never")
        client.drop()
    got = wait(7)
    assert [topic.split("/")[2:4] for topic, *_ in got] == [
        ["presence", "connected"], ["subscriptions", "subscribed"], ["presence", "disconnected"],
        ["presence", "connected"], ["subscriptions", "subscribed"], ["subscriptions", "unsubscribed"],
        ["presence", "disconnected"],
    ]  # fmt: skip
    assert all((qos, retain) == (0, 0) for _, _, qos, retain in got)
    connected, subscribed, left, again, sub2, unsubscribed, lost = [event for _, event, _, _ in got]
    for event, number in ((connected, 0), (again, 1)):
        exactly(event, "ipAddress", "versionNumber", "thingName")
        assert (event["ipAddress"], event["versionNumber"], event["thingName"]) == ("127.0.0.1", number, client_id)
        assert event["principalIdentifier"] == one.certificate_id
    for event, number, own, why in (
        (left, 0, True, "CLIENT_INITIATED_DISCONNECT"), (lost, 1, False, "CONNECTION_LOST"),
    ):  # fmt: skip
        exactly(event, "versionNumber", "thingName", "clientInitiatedDisconnect", "disconnectReason")
        assert (event["versionNumber"], event["clientInitiatedDisconnect"], event["disconnectReason"]) == (number, own, why)
    assert exactly(subscribed, "topics")["topics"] == ["life/+", "life/b/#"]
    assert exactly(sub2, "topics")["topics"] == ["life/c"]
    assert "life/c" in exactly(unsubscribed, "topics")["topics"]
    for events_of_one in ((connected, subscribed, left), (again, sub2, unsubscribed, lost)):
        assert len({event["sessionIdentifier"] for event in events_of_one}) == 1
    assert connected["sessionIdentifier"] != again["sessionIdentifier"]
    watcher.kill()


def certificate_arn(thing):
    return arn("cert/" + thing.certificate_id)
