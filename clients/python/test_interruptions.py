"""What a device goes through when its network goes away: the callbacks of the tutorial, and nothing lost or reordered."""

import json
import signal
import threading

import pytest
from awscrt import mqtt
from harness import mosquitto, rawmqtt
from harness.proxy import Cable
from harness.sdk_v2 import WAIT, connection_311
from harness.server import BINARY, ENDPOINT, Inbox, Process

QUICKLY = {"reconnect_min_timeout_secs": 1, "reconnect_max_timeout_secs": 2}


class Watched:
    """A connection of the SDK with the tutorial's two callbacks made waitable."""

    def __init__(self, thing, client_id, port, **kwargs):
        self.interrupted, self.resumed = threading.Event(), threading.Event()
        self.inbox, self.resumption, self.error = Inbox(), None, None
        self.connection = connection_311(
            thing, client_id, port, clean_session=False,
            on_connection_interrupted=self._on_interrupted, on_connection_resumed=self._on_resumed, **QUICKLY, **kwargs,
        )  # fmt: skip
        self.connection.on_message(lambda **message: self.inbox.put(message["payload"].decode()))

    def _on_interrupted(self, connection, error, **_):
        self.error = error
        self.interrupted.set()

    def _on_resumed(self, connection, return_code, session_present, **_):
        self.resumption = (return_code, session_present)
        self.resumed.set()

    def subscribe(self, topic):
        granted = self.connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT)["qos"]
        assert granted == mqtt.QoS.AT_LEAST_ONCE


def test_cut_network_resumes_the_session_with_what_it_missed(server, thing, cable, unique):
    topic, count = unique("interrupted"), 50
    device = Watched(thing, unique("device"), cable.port)
    assert device.connection.connect().result(WAIT) == {"session_present": False}
    device.subscribe(topic + "/#")

    cable.cut()
    assert device.interrupted.wait(WAIT), "on_connection_interrupted was not called"
    sent = ["missed {}".format(n) for n in range(count)]
    mosquitto.publish(server, thing, topic + "/a", lines=sent)
    cable.plug_in()

    assert device.resumed.wait(WAIT), "on_connection_resumed was not called"
    assert device.resumption == (mqtt.ConnectReturnCode.ACCEPTED, True)
    assert device.inbox.wait(count) == sent
    # And it goes on: the subscription is still there, nothing comes twice.
    mosquitto.publish(server, thing, topic + "/a", "after")
    assert device.inbox.wait(count + 1) == [*sent, "after"]
    device.connection.disconnect().result(WAIT)


def test_stored_messages_wait_for_a_device_that_was_switched_off(server, thing, unique):
    """clean_session=False, a regular disconnect, and a new program with the same client id."""
    topic, client_id, count = unique("switched-off"), unique("device"), 50
    device = Watched(thing, client_id, server.port("mqtts"))
    device.connection.connect().result(WAIT)
    device.subscribe(topic)
    device.connection.disconnect().result(WAIT)

    sent = ["stored {}".format(n) for n in range(count)]
    mosquitto.publish(server, thing, topic, lines=sent)
    mosquitto.publish(server, thing, topic, "QoS 0 is not stored", qos=0)

    device = Watched(thing, client_id, server.port("mqtts"))
    assert device.connection.connect().result(WAIT) == {"session_present": True}
    assert device.inbox.wait(count) == sent
    # A later message comes right behind them: the one of QoS 0 was not kept.
    mosquitto.publish(server, thing, topic, "live")
    assert device.inbox.wait(count + 1) == [*sent, "live"]
    device.connection.disconnect().result(WAIT)


def test_clean_session_forgets(server, thing, unique):
    topic, client_id = unique("forgotten"), unique("device")
    device = Watched(thing, client_id, server.port("mqtts"))
    device.connection.connect().result(WAIT)
    device.subscribe(topic)
    device.connection.disconnect().result(WAIT)

    with rawmqtt.Client.open(server.address("mqtts"), thing, client_id, clean=True) as clean:
        assert not clean.connack.session_present
        clean.disconnect()
    mosquitto.publish(server, thing, topic, "nobody waits for this")
    device = Watched(thing, client_id, server.port("mqtts"))
    assert device.connection.connect().result(WAIT) == {"session_present": False}
    device.connection.disconnect().result(WAIT)
    assert list(device.inbox.messages) == []


def test_publishes_made_offline_are_sent_after_the_resumption(server, thing, cable, unique):
    """The SDK keeps QoS 1 publishes of a persistent session while it is away."""
    topic, count = unique("offline-publish"), 20
    watcher = rawmqtt.Client.open(server.address("mqtts"), thing, unique("watcher"))
    assert watcher.subscribe(topic) == [1]
    device = Watched(thing, unique("device"), cable.port)
    device.connection.connect().result(WAIT)
    cable.cut()
    assert device.interrupted.wait(WAIT)
    sent = ["offline {}".format(n) for n in range(count)]
    futures = [device.connection.publish(topic, payload, mqtt.QoS.AT_LEAST_ONCE)[0] for payload in sent]
    cable.plug_in()
    for future in futures:
        future.result(WAIT)
    got = []
    while len(got) < count:
        _, payload, pid, _ = watcher.expect(rawmqtt.PUBLISH).publish()
        watcher.puback(pid)
        got.append(payload.decode())
    assert sorted(got) == sorted(sent)
    watcher.close()
    device.connection.disconnect().result(WAIT)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_session_survives_a_restart_of_the_server(new_server, unique, how):
    """SIGTERM and kill -9 alike: subscriptions and stored messages are on disk."""
    server = new_server().start()
    thing = server.create_thing(unique("thing"))
    topic = unique("restart")
    with Cable(server.address("mqtts")) as cable:
        device = Watched(thing, unique("device"), cable.port)
        device.connection.connect().result(WAIT)
        device.subscribe(topic)
        cable.cut()
        assert device.interrupted.wait(WAIT)
        sent = [json.dumps({"n": n}) for n in range(30)]
        mosquitto.publish(server, thing, topic, lines=sent)
        server.stop() if how == "stop" else server.kill()
        server.start()
        cable.target = server.address("mqtts")
        cable.plug_in()
        assert device.resumed.wait(WAIT)
        assert device.resumption == (mqtt.ConnectReturnCode.ACCEPTED, True)
        assert device.inbox.wait(len(sent)) == sent
        device.connection.disconnect().result(WAIT)
    server.stop()


def test_a_stopping_server_says_so_to_mqtt_5(new_server, unique):
    server = new_server().start()
    thing = server.create_thing(unique("thing"))
    client = rawmqtt.Client.open(server.address("mqtts"), thing, unique("told"), rawmqtt.V5)
    server.process.child.send_signal(signal.SIGTERM)
    assert client.expect(rawmqtt.DISCONNECT).code == 0x8B  # server shutting down
    client.expect_closed()
    assert server.process.finish() == 0


def test_pubsub_prints_interruption_and_resumption(server, thing, cable, unique):
    """`thingwire pubsub` says what the tutorial's callbacks say, and goes on where it was."""
    topic = unique("pubsub-cut")
    process = Process([
        BINARY, "pubsub", "--endpoint", ENDPOINT, "--port", cable.port, "--root-ca", thing.ca, "--cert", thing.cert,
        "--key", thing.key, "--client-id", unique("pubsub"), "--topic", topic, "--message", "", "--count", "3",
    ])  # fmt: skip
    process.wait_for_line(lambda line: line == "Waiting for all messages to be received...")
    cable.cut()
    process.wait_for_line(lambda line: line.startswith("Connection interrupted. error: "))
    mosquitto.publish(server, thing, topic, lines=["one", "two", "three"])
    cable.plug_in()
    process.wait_for_line(lambda line: line.startswith("Connection resumed. "), timeout=60)
    assert process.finish(60) == 0
    received = [line for line in process.lines if line.startswith("Received")]
    assert received == ["Received message from topic '{}': b'{}'".format(topic, m) for m in ("one", "two", "three")]
    assert process.lines[-3:] == ["3 message(s) received.", "Disconnecting...", "Disconnected!"]
