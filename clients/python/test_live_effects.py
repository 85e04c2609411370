"""What an administrator changes with boto3 is felt by a device that is connected: within a second of the answer, by Eclipse's
client and by AWS's, on both versions of MQTT. A device asks by publishing: the answer, or the end of its connection, is the
event that a test waits for."""

import json
import queue
import time

import pytest
from awscrt import mqtt, mqtt5
from harness import aws
from harness.certificates import self_made
from harness.paho import V3, V5
from harness.paho import Client as PahoClient
from harness.sdk_v2 import Client5, connection_311
from harness.server import arn, policy, statement

WAIT = 20
SECOND = 1.0
CLOSED = "closed"
ANYWHERE = statement("Allow", ["iot:Connect", "iot:Subscribe", "iot:Receive"], "*")


class Device:
    """One connection whose answers and whose end are events: True or False for a publish, CLOSED for the end."""

    def __init__(self):
        self.events = queue.SimpleQueue()

    def may_publish(self, topic):
        """Publishes and waits for what becomes of it. A refusal ends the connection on 3.1.1."""
        self._publish(topic)
        return self.events.get(timeout=WAIT) is True

    def wait_for_the_end(self):
        while self.events.get(timeout=WAIT) != CLOSED:
            pass


class Paho(Device):
    """Eclipse's paho-mqtt."""

    version = V3

    def __init__(self, server, thing):
        super().__init__()
        self._client = PahoClient.open(server, thing, thing.name, self.version)
        self._client.client.on_publish = lambda _c, _u, _mid, code, _p: self.events.put(code.value == 0)
        self._client.client.on_disconnect = lambda *_: self.events.put(CLOSED)

    def _publish(self, topic):
        self._client.client.publish(topic, "x", qos=1)

    def subscribe(self, topic):
        """Returns what arrives there."""
        self._client.subscribe(topic)
        return self._client.inbox

    def close(self):
        self._client.client.disconnect()
        self._client.client.loop_stop()


class Paho5(Paho):
    version = V5


class SDK(Device):
    """AWS's device SDK, its client of MQTT 3.1.1, which would come back by itself."""

    def __init__(self, server, thing):
        super().__init__()
        self._connection = connection_311(
            thing, thing.name, server.port("mqtts"), reconnect_min_timeout_secs=1, reconnect_max_timeout_secs=1,
            on_connection_interrupted=lambda **_: self.events.put(CLOSED),
        )  # fmt: skip
        self._connection.connect().result(WAIT)

    def _publish(self, topic):
        answered, _ = self._connection.publish(topic, "x", mqtt.QoS.AT_LEAST_ONCE)
        answered.add_done_callback(lambda future: self.events.put(future.exception() is None))

    def close(self):
        self._connection.disconnect()  # done when its pause before the next try is over, which nobody needs to wait for


class SDK5(Device):
    """AWS's device SDK, its client of MQTT 5."""

    def __init__(self, server, thing):
        super().__init__()
        self._client = Client5(thing, thing.name, server.port("mqtts")).__enter__()
        self._client.on_lost = lambda: self.events.put(CLOSED)

    def _publish(self, topic):
        packet = mqtt5.PublishPacket(topic=topic, payload="x", qos=mqtt5.QoS.AT_LEAST_ONCE)
        self._client.client.publish(packet).add_done_callback(self._answered)

    def _answered(self, future):
        self.events.put(future.exception() is None and future.result().puback.reason_code == mqtt5.PubackReasonCode.SUCCESS)

    def close(self):
        self._client.__exit__()


DEVICES = pytest.mark.parametrize("kind", [Paho, Paho5, SDK, SDK5], ids=["paho 3.1.1", "paho 5", "sdk 3.1.1", "sdk 5"])
PATIENT = pytest.mark.parametrize("kind", [Paho5, SDK5], ids=["paho 5", "sdk 5"])


class World:
    """A thing with a certificate of its own and one policy, made with boto3, and what changes them."""

    def __init__(self, server, folder, name, *statements):
        self.iot, self.name = aws.client(server, "iot"), name
        files, pem = self_made(folder, server.ca, -1, 1)
        self.thing = type(files)(name, files.cert, files.key, files.ca)
        self.certificate = self.iot.register_certificate_without_ca(certificatePem=pem, status="ACTIVE")["certificateArn"]
        self.certificate_id = self.certificate.rsplit("/", 1)[1]
        self.topic = name + "/data"
        self.iot.create_thing(thingName=name)
        self.iot.attach_thing_principal(thingName=name, principal=self.certificate)
        self.iot.create_policy(policyName=name, policyDocument=self.document(*statements))
        self.iot.attach_policy(policyName=name, target=self.certificate)

    @staticmethod
    def document(*statements):
        return json.dumps(policy(ANYWHERE, *statements))

    def set_status(self, status):
        self.iot.update_certificate(certificateId=self.certificate_id, newStatus=status)

    def rewrite(self, *statements):
        """A new version of the policy, which counts at once."""
        self.iot.create_policy_version(policyName=self.name, policyDocument=self.document(*statements), setAsDefault=True)

    def move(self, room):
        self.iot.update_thing(thingName=self.name, attributePayload={"attributes": {"room": room}})


@pytest.fixture
def world(server, tmp_path, unique):
    """Makes worlds and devices, and closes these."""
    made = []

    def make(kind, *statements, prepare=None):
        one = World(server, tmp_path, unique("live"), *statements)
        if prepare:
            prepare(one)
        one.device = kind(server, one.thing)
        made.append(one.device)
        return one

    yield make
    for device in made:
        device.close()


def within_a_second(change, seen):
    """Makes the change and asks until it is seen, which must be within a second of the answer to the change."""
    change()
    answered = time.monotonic()
    while not seen():
        assert time.monotonic() - answered < SECOND, "not seen within a second"
    took = time.monotonic() - answered
    assert took < SECOND, "seen after {:.2f} s".format(took)


PUBLISH = statement("Allow", "iot:Publish", "*")
NEVER = statement("Deny", "iot:Publish", "*")
BY_ATTRIBUTE = statement("Allow", "iot:Publish", arn("topic/${iot:Connection.Thing.Attributes[room]}/*"))
OF_THE_THING = statement("Allow", "iot:Publish", arn("topic/${iot:Connection.Thing.ThingName}/*"))
WHILE_ATTACHED = {**PUBLISH, "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}}


def set_default_version(world):
    world.iot.set_default_policy_version(policyName=world.name, policyVersionId="2")


def create_version(world):
    world.rewrite(NEVER)


def detach_policy(world):
    world.iot.detach_policy(policyName=world.name, target=world.certificate)


def detach_principal_policy(world):
    world.iot.detach_principal_policy(policyName=world.name, principal=world.certificate)


def detach_thing(world):
    world.iot.detach_thing_principal(thingName=world.name, principal=world.certificate)


def with_a_second_version(world):
    world.iot.create_policy_version(policyName=world.name, policyDocument=world.document(), setAsDefault=False)


def leave_the_group(world):
    world.iot.remove_thing_from_thing_group(thingGroupName=world.name, thingName=world.name)


def detach_from_the_group(world):
    world.iot.detach_policy(policyName=world.name + "-publish", target=arn("thinggroup/" + world.name))


def with_a_group_that_may_publish(world):
    world.iot.create_thing_group(thingGroupName=world.name)
    world.iot.add_thing_to_thing_group(thingGroupName=world.name, thingName=world.name)
    world.iot.create_policy(policyName=world.name + "-publish", policyDocument=json.dumps(policy(PUBLISH)))
    world.iot.attach_policy(policyName=world.name + "-publish", target=arn("thinggroup/" + world.name))


# What the policy allows at first, what is prepared before the device comes, and the change after which it may publish no more.
TAKEN = {
    "the default version is another": (PUBLISH, with_a_second_version, set_default_version),
    "a new version is the default": (PUBLISH, None, create_version),
    "the policy is detached": (PUBLISH, None, detach_policy),
    "the policy is detached from the principal": (PUBLISH, None, detach_principal_policy),
    "the thing is detached, its name was a variable": (OF_THE_THING, None, detach_thing),
    "the thing is detached, that it was attached a condition": (WHILE_ATTACHED, None, detach_thing),
    "the thing leaves its group": (None, with_a_group_that_may_publish, leave_the_group),
    "the group's policy is detached": (None, with_a_group_that_may_publish, detach_from_the_group),
}


@DEVICES
@pytest.mark.parametrize("case", TAKEN)
def test_a_right_is_taken(world, kind, case):
    allowed, prepare, change = TAKEN[case]
    one = world(kind, *([allowed] if allowed else []), prepare=prepare)
    assert one.device.may_publish(one.topic)
    within_a_second(lambda: change(one), lambda: not one.device.may_publish(one.topic))


@PATIENT
def test_a_right_is_given(world, kind):
    """MQTT 5 keeps a connection that was refused something, so that it sees the new right come."""
    one = world(kind)
    assert not one.device.may_publish(one.topic)
    within_a_second(lambda: one.rewrite(PUBLISH), lambda: one.device.may_publish(one.topic))
    within_a_second(lambda: detach_policy(one), lambda: not one.device.may_publish(one.topic))
    again = {"policyName": one.name, "target": one.certificate}
    within_a_second(lambda: one.iot.attach_policy(**again), lambda: one.device.may_publish(one.topic))


@DEVICES
def test_an_attribute_under_a_policy_variable(world, kind):
    """The device moves from the kitchen to the cellar: there it may publish at once, and in the kitchen no more."""
    one = world(kind, BY_ATTRIBUTE, prepare=lambda one: one.move("kitchen"))
    assert one.device.may_publish("kitchen/lamp")
    within_a_second(lambda: one.move("cellar"), lambda: not one.device.may_publish("kitchen/lamp"))
    if kind in (Paho5, SDK5):
        assert one.device.may_publish("cellar/lamp")
        within_a_second(lambda: one.move("kitchen"), lambda: one.device.may_publish("kitchen/lamp"))


@DEVICES
@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_certificate_is_taken_back(world, kind, status):
    one = world(kind, PUBLISH)
    assert one.device.may_publish(one.topic)

    def closed():
        one.device.wait_for_the_end()
        return True

    within_a_second(lambda: one.set_status(status), closed)


@DEVICES
def test_a_certificate_is_deleted(server, world, kind):
    """Only one that is not active can be: the device is gone by then, and its certificate is nobody's."""
    one = world(kind, PUBLISH)

    def delete():
        one.set_status("INACTIVE")
        one.iot.detach_thing_principal(thingName=one.name, principal=one.certificate)
        one.iot.delete_certificate(certificateId=one.certificate_id, forceDelete=True)

    def closed():
        one.device.wait_for_the_end()
        return True

    within_a_second(delete, closed)
    stranger = PahoClient(server, one.thing, one.name)
    assert stranger.closed.wait(WAIT) and not stranger.connected.is_set()
    stranger.client.loop_stop()
    with pytest.raises(one.iot.exceptions.ResourceNotFoundException):
        one.iot.describe_certificate(certificateId=one.certificate_id)


@pytest.mark.parametrize("kind", [Paho, Paho5], ids=["3.1.1", "5"])
def test_deliveries_end_with_the_right_to_receive(server, thing, world, unique, kind):
    """Nobody is told: the messages do not come any more. One on a topic that is still allowed, published behind them, does."""
    one = world(kind)
    inbox, secret, opened = one.device.subscribe(one.name + "/#"), one.name + "/secret", one.name + "/open"
    with PahoClient.open(server, thing, unique("publisher")) as publisher:
        publisher.publish(secret, "before")
        inbox.wait(1)
        within_a_second(
            lambda: one.rewrite(statement("Deny", "iot:Receive", arn("topic/" + secret))),
            lambda: silent(publisher, inbox, secret, opened),
        )


def silent(publisher, inbox, secret, opened):
    """Publishes on both topics: whether only the second message came."""
    here = len(inbox.messages)
    publisher.publish(secret, "after")
    publisher.publish(opened, "after")
    topics = []
    while opened not in topics:
        topics = [m.topic for m in inbox.wait(here + len(topics) + 1)[here:]]
    return secret not in topics
