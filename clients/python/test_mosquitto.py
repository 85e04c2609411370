"""mosquitto_pub and mosquitto_sub as Debian ships them: another MQTT stack, 3.1.1 and 5."""

import pytest
from harness import mosquitto
from harness.server import Inbox

VERSIONS = pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])


@VERSIONS
@pytest.mark.parametrize("pub, sub", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_qualities_of_service(server, thing, unique, version, pub, sub):
    """The effective quality is the lower of what was published and what was subscribed."""
    topic = unique("mosquitto/qos")
    subscriber = mosquitto.subscribe(server, thing, topic, "-V", version, "-C", "3", "-F", "%q %t %p", qos=sub)
    for payload in "abc":
        mosquitto.publish(server, thing, topic, payload, "-V", version, qos=pub)
    assert subscriber.finish() == 0
    assert mosquitto.payloads(subscriber) == ["{} {} {}".format(min(pub, sub), topic, payload) for payload in "abc"]


@VERSIONS
def test_persistent_session(server, thing, unique, version):
    """-c: away while messages arrive, then all of them in order; QoS 1 after PUBACK, to the end of the session."""
    topic, client_id = unique("mosquitto/c"), unique("persistent")
    persistent = ["-V", version, "-c", *(["-x", "600"] if version == "mqttv5" else [])]
    once = mosquitto.subscribe(server, thing, topic, *persistent, "-E", client_id=client_id)
    assert once.finish() == 0
    sent = ["message {}".format(n) for n in range(100)]
    mosquitto.publish(server, thing, topic, None, "-V", version, lines=sent)
    back = mosquitto.subscribe(server, thing, topic, *persistent, "-C", "100", client_id=client_id, wait=False)
    assert back.finish() == 0
    assert mosquitto.payloads(back) == sent


def test_properties_of_mqtt_5(server, thing, unique):
    topic = unique("mosquitto/properties")
    subscriber = mosquitto.subscribe(server, thing, topic, "-V", "mqttv5", "-C", "1", "-F", "%F|%C|%R|%D|%P|%E|%p")
    properties = {
        "payload-format-indicator": "1", "content-type": "text/plain", "response-topic": topic + "/answer",
        "correlation-data": "c-1", "message-expiry-interval": "300",
    }  # fmt: skip
    flags = [word for name, value in properties.items() for word in ("-D", "publish", name, value)]
    flags += ["-D", "publish", "user-property", "first", "1", "-D", "publish", "user-property", "second", "2"]
    mosquitto.publish(server, thing, topic, "hello", "-V", "mqttv5", *flags)
    assert subscriber.finish() == 0
    (line,) = mosquitto.payloads(subscriber)
    form, content, response, correlation, user, expiry, payload = line.split("|")
    assert (form, content, response, correlation, payload) == ("1", "text/plain", topic + "/answer", "c-1", "hello")
    assert user == "first:1 second:2"
    assert 290 <= int(expiry) <= 300


@VERSIONS
def test_retained_message(server, thing, unique, version):
    """Kept, given to a later subscriber with its retain flag, deleted by an empty one."""
    topic = unique("mosquitto/retained")
    mosquitto.publish(server, thing, topic, "kept", "-V", version, "-r")
    later = mosquitto.subscribe(server, thing, topic, "-V", version, "-C", "1", "-F", "%r %p")
    assert later.finish() == 0
    assert mosquitto.payloads(later) == ["1 kept"]
    mosquitto.publish(server, thing, topic, None, "-V", version, "-r")
    later = mosquitto.subscribe(server, thing, topic, "-V", version, "-C", "1", "-F", "%r %p")
    mosquitto.publish(server, thing, topic, "live", "-V", version)
    assert later.finish() == 0
    assert mosquitto.payloads(later) == ["0 live"]


@VERSIONS
def test_last_will(server, thing, unique, version):
    """The will of a client that dies is published; one that disconnects takes its will along."""
    topic = unique("mosquitto/will")
    watcher = mosquitto.subscribe(server, thing, topic, "-V", version, "-C", "2")
    dying = ["--will-topic", topic, "--will-payload", "I died", "--will-qos", "1", "-V", version]
    mosquitto.publish(server, thing, topic + "/other", "bye", *dying)  # leaves with a DISCONNECT
    mosquitto.publish(server, thing, topic, "first")
    mosquitto.subscribe(server, thing, topic + "/other", *dying).kill()
    assert watcher.finish() == 0
    assert mosquitto.payloads(watcher) == ["first", "I died"]


def test_shared_subscription(server, thing, unique):
    """Each message goes to one member of the group, and to everyone outside it."""
    topic, inbox = unique("mosquitto/shared"), Inbox()
    share = ("$share/group/" + topic, "-V", "mqttv5")
    members = [mosquitto.subscribe(server, thing, *share, inbox=inbox) for _ in range(2)]
    outside = mosquitto.subscribe(server, thing, topic, "-C", "50")
    sent = ["m{}".format(n) for n in range(50)]
    mosquitto.publish(server, thing, topic, lines=sent)
    assert outside.finish() == 0
    assert mosquitto.payloads(outside) == sent
    inbox.wait(50)
    for member in members:
        member.kill()
    assert sorted(p for member in members for p in mosquitto.payloads(member)) == sorted(sent)
