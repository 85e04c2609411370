"""Eclipse's paho-mqtt, both versions of MQTT."""

import itertools

import pytest
from harness.paho import PASSED_ON, V3, V5, Client, SubscribeOptions, Will
from harness.server import arn, policy, statement

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
NOT_AUTHORIZED = 0x87


@pytest.fixture
def opens(server, thing, unique):
    """Opens clients, and ends them with the test."""
    clients = []

    def make(version=V5, client_id=None, as_thing=None, **kwargs):
        clients.append(Client.open(server, as_thing or thing, client_id or unique("paho"), version, **kwargs))
        return clients[-1]

    yield make
    for client in clients:
        client.client.disconnect()
        client.client.loop_stop()


def persistent(version):
    return {"clean": False, "SessionExpiryInterval": 600} if version == V5 else {"clean": False}


def passed_on(properties):
    return {name: getattr(properties, name) for name in PASSED_ON}


def until_expired(client, topic, marker):
    """Waits until the retained message of a topic has expired: asks for it again and again."""
    for n in itertools.count():
        assert client.subscribe(topic, marker) == [1, 1]
        before = len(client.inbox.messages)
        client.publish(marker, str(n))
        got = client.inbox.wait(before + 1)
        if len([m for m in got if m.topic == topic]) < n + 1:
            return


@VERSIONS
def test_publish_and_subscribe(opens, unique, version):
    client, topic = opens(version), unique("paho/basic")
    assert not client.session_present
    assert client.subscribe(topic + "/+") == [1]
    assert client.subscribe(topic + "/deep/#", qos=0) == [0]
    for name, qos in (("a", 1), ("b", 0), ("deep/er", 1)):
        assert client.publish(topic + "/" + name, name, qos)[0] == 0
    got = client.inbox.wait(3)
    assert [(m.topic, m.payload.decode(), m.qos) for m in got] == [
        (topic + "/a", "a", 1), (topic + "/b", "b", 0), (topic + "/deep/er", "deep/er", 0),
    ]  # fmt: skip
    assert not any(m.dup or m.retain for m in got)
    client.unsubscribe(topic + "/+", topic + "/never")
    client.publish(topic + "/a", "to nobody")
    client.publish(topic + "/deep/er", "the end")
    assert client.texts(4)[3] == "the end"


@VERSIONS
def test_will(opens, unique, version):
    """For a connection that breaks; not for a client that leaves."""
    watcher, topic = opens(version), unique("paho/will")
    assert watcher.subscribe(topic + "/+") == [1]
    opens(version, will=Will(topic + "/leaver")).disconnect()
    opens(version, will=Will(topic + "/dead", retain=True)).drop()
    (will,) = watcher.inbox.wait(1)
    assert (will.topic, will.payload, will.retain) == (topic + "/dead", b"gone", False)
    assert watcher.subscribe(topic + "/dead") == [1]
    kept = watcher.inbox.wait(2)[1]
    assert (kept.topic, kept.payload, kept.retain) == (topic + "/dead", b"gone", True)


@VERSIONS
def test_retained(opens, unique, version):
    client, topic = opens(version), unique("paho/retained")
    client.publish(topic + "/a", "old", retain=True)
    client.publish(topic + "/a", "new", retain=True)
    # A deviation of AWS's: nothing for wildcards and shared subscriptions.
    client.subscribe(topic + "/+", "$share/{}/{}/a".format(unique("group"), topic))
    client.subscribe(topic + "/a")
    (kept,) = client.inbox.wait(1)
    assert (kept.payload, kept.retain, kept.qos) == (b"new", True, 1)
    client.publish(topic + "/a", "", retain=True)
    assert client.texts(4)[1:] == ["", "", ""]
    client.subscribe(topic + "/a")
    client.publish(topic + "/b", "marker")
    assert client.texts(5)[4] == "marker"


@VERSIONS
def test_shared(opens, unique, version):
    """Each message to one member."""
    topic, group = unique("paho/shared"), unique("group")
    members = [opens(version), opens(version)]
    for member in members:
        member.inbox = members[0].inbox
        assert member.subscribe("$share/{}/{}".format(group, topic)) == [1]
    publisher = opens(version)
    sent = ["m{}".format(n) for n in range(40)]
    for mid in [publisher.send(topic, text) for text in sent]:
        assert publisher.answer(mid)[0] == 0
    assert sorted(m.payload.decode() for m in members[0].inbox.wait(40)) == sorted(sent)


@VERSIONS
def test_session_resume(opens, unique, version):
    topic, client_id = unique("paho/session"), unique("paho")
    first = opens(version, client_id, **persistent(version))
    assert not first.session_present
    assert first.subscribe(topic) == [1]
    first.disconnect()
    publisher = opens(version)
    publisher.publish(topic, "QoS 0 is not stored", qos=0)
    sent = ["stored {}".format(n) for n in range(20)]
    for text in sent:
        publisher.publish(topic, text)
    second = opens(version, client_id, **persistent(version))
    assert second.session_present
    assert second.texts(20) == sent
    second.disconnect()
    assert not opens(version, client_id).session_present


@VERSIONS
def test_takeover(opens, unique, version):
    client_id = unique("paho")
    first = opens(version, client_id)
    second = opens(version, client_id)
    assert first.closed.wait(20)
    if version == V5:
        code, properties, from_server = first.end
        assert (code, from_server) == (0x8E, True)
        assert properties.ReasonString.startswith("DISCONNECT:")
    assert second.publish(unique("paho/taken"), "still here")[0] == 0


@pytest.fixture(scope="module")
def scoped(server, unique):
    return server.create_thing(unique("scoped"), policy(
        statement("Allow", "iot:Connect", arn("client/allowed-*")),
        statement("Allow", ["iot:Publish", "iot:Receive"], arn("topic/mine/*")),
        statement("Allow", "iot:Subscribe", arn("topicfilter/mine/*")),
    ))  # fmt: skip


@VERSIONS
class TestDenied:
    def test_connect(self, server, scoped, version):
        client = Client(server, scoped, "not-allowed", version)
        assert client.closed.wait(20)
        if version == V3:
            assert client.connack is None
        else:
            assert client.connack[0] == NOT_AUTHORIZED
            assert "no policy allows iot:Connect on client/not-allowed" in client.connack[1].ReasonString

    def test_subscribe(self, opens, scoped, unique, version):
        client = opens(version, unique("allowed"), scoped)
        mid = client.send_subscribe("mine/a", "theirs/a")
        if version == V3:
            assert client.closed.wait(20)
            return
        codes, properties = client.answer(mid)
        assert codes == [1, NOT_AUTHORIZED]
        assert "no policy allows iot:Subscribe on topicfilter/theirs/a" in properties.ReasonString
        client.publish("mine/a", "the connection stays")
        assert client.texts(1) == ["the connection stays"]

    @pytest.mark.parametrize("qos", [0, 1])
    def test_publish(self, opens, scoped, unique, version, qos):
        client = opens(version, unique("allowed"), scoped)
        mid = client.send("theirs/a", "no", qos)
        if version == V5 and qos == 1:
            code, properties = client.answer(mid)
            assert code == NOT_AUTHORIZED
            assert "no policy allows iot:Publish on topic/theirs/a" in properties.ReasonString
            assert client.publish("mine/a", "the connection stays")[0] == 0
            return
        assert client.closed.wait(20)
        if version == V5:
            assert client.end[0] == NOT_AUTHORIZED and client.end[2]
            assert "no policy allows iot:Publish on topic/theirs/a" in client.end[1].ReasonString

    def test_will(self, server, scoped, unique, version):
        client = Client(server, scoped, unique("allowed"), version, will=Will("theirs/will"))
        assert client.closed.wait(20)
        assert (client.connack and client.connack[0]) == (NOT_AUTHORIZED if version == V5 else None)


def test_every_property_is_passed_on(opens, unique):
    """Live, retained and in a will."""
    client, topic = opens(), unique("paho/properties")
    client.subscribe(topic + "/live", topic + "/will")
    client.publish(topic + "/live", "{}", MessageExpiryInterval=600, **PASSED_ON)
    client.publish(topic + "/kept", "{}", retain=True, **PASSED_ON)
    client.subscribe(topic + "/kept")
    opens(will=Will(topic + "/will", **PASSED_ON)).drop()
    live, kept, will = client.inbox.wait(3)
    assert [m.topic for m in (live, kept, will)] == [topic + "/live", topic + "/kept", topic + "/will"]
    for message in (live, kept, will):
        assert passed_on(message.properties) == PASSED_ON
    assert 590 < live.properties.MessageExpiryInterval <= 600
    assert not hasattr(kept.properties, "MessageExpiryInterval")


def test_message_expiry(opens, unique):
    """Of a retained message and of one that waits in a session."""
    topic, client_id = unique("paho/expiry"), unique("paho")
    sleeper = opens(V5, client_id, **persistent(V5))
    sleeper.subscribe(topic + "/queued")
    sleeper.disconnect()
    client = opens()
    client.publish(topic + "/queued", "too late", MessageExpiryInterval=1)
    client.publish(topic + "/queued", "in time")
    client.publish(topic + "/kept", "too late", retain=True, MessageExpiryInterval=1)
    until_expired(client, topic + "/kept", topic + "/marker")
    awake = opens(V5, client_id, **persistent(V5))
    client.publish(topic + "/queued", "live")
    assert awake.texts(2) == ["in time", "live"]


def test_topic_aliases(opens, unique):
    client, topic = opens(), unique("paho/alias")
    assert client.connack[1].TopicAliasMaximum == 8
    client.subscribe(topic + "/+")
    client.publish(topic + "/a", "sets", TopicAlias=1)
    client.publish("", "uses", TopicAlias=1)
    client.publish(topic + "/b", "sets anew", TopicAlias=1)
    client.publish("", "uses", TopicAlias=1)
    assert [m.topic for m in client.inbox.wait(4)] == [topic + "/" + name for name in "aabb"]


def test_subscription_options(opens, unique):
    client, other, topic = opens(), opens(), unique("paho/options")
    other.publish(topic + "/kept", "kept", retain=True)
    client.subscribe(topic + "/mine", options=SubscribeOptions(1, noLocal=True))
    client.subscribe(topic + "/as-is", options=SubscribeOptions(1, retainAsPublished=True))
    for handling in (1, 1, 2):  # new, not new any more, never
        client.subscribe(topic + "/kept", options=SubscribeOptions(1, retainHandling=handling))
    client.publish(topic + "/mine", "from myself")
    other.publish(topic + "/mine", "from another")
    other.publish(topic + "/as-is", "with its flag", retain=True)
    got = [(m.payload.decode(), m.retain) for m in client.inbox.wait(3)]
    assert got == [("kept", True), ("from another", False), ("with its flag", True)]


def test_disconnect_with_will_and_new_expiry(opens, unique):
    watcher, topic, client_id = opens(), unique("paho/leave"), unique("paho")
    watcher.subscribe(topic)
    client = opens(V5, client_id, will=Will(topic), **persistent(V5))
    client.disconnect(0x04, SessionExpiryInterval=0)
    assert watcher.texts(1) == ["gone"]
    assert not opens(V5, client_id, **persistent(V5)).session_present


def test_a_message_between_the_versions(opens, unique):
    three, five, topic = opens(V3), opens(V5), unique("paho/both")
    three.subscribe(topic + "/3")
    five.subscribe(topic + "/5")
    three.publish(topic + "/5", "from 3.1.1")
    five.publish(topic + "/3", "from 5", **PASSED_ON)
    assert three.texts(1) == ["from 5"]
    assert five.texts(1) == ["from 3.1.1"]
    assert five.inbox.messages[0].properties.isEmpty()


def test_assigned_client_id(opens, server, thing):
    client = Client.open(server, thing, "", V5)
    assert client.connack[1].AssignedClientIdentifier.startswith("$GEN/")
    client.disconnect()
