"""AWSIoTPythonSDK, the SDK of the first tutorial (seed of 2020): frozen, and still on devices."""

import json
import threading

import pytest
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient
from harness import mosquitto, rawmqtt
from harness.server import ENDPOINT, Inbox

WAIT = 30


@pytest.fixture
def client_of(server, thing, unique, cable):
    """Makes configured clients and disconnects them with the test, while the cable is still there."""
    made = []

    def make(port=None, **kwargs):
        client = AWSIoTMQTTClient(unique("sdk1"), **kwargs)
        client.configureEndpoint(ENDPOINT, port or server.port("mqtts"))
        client.configureCredentials(thing.ca, thing.key, thing.cert)
        client.configureOfflinePublishQueueing(-1)
        client.configureDrainingFrequency(50)
        client.configureAutoReconnectBackoffTime(1, 4, 20)
        client.configureConnectDisconnectTimeout(10)
        client.configureMQTTOperationTimeout(5)
        made.append(client)
        return client

    yield make
    for client in made:
        client.disconnect()


def reading(n, value):
    """The message of the tutorial: a reading, or its failure."""
    return {
        "utc_timestamp": 1581417910 + 15 * n,
        "value": value,
        "origin": "BME680 temperature",
        "status": "fail" if value is None else "success",
    }


@pytest.mark.parametrize("listener", ["mqtts", "shared"])
def test_the_sensor_loop(server, thing, client_of, listener):
    """publish(topic, messageJSON, 1) in a loop; 443 is reached by ALPN."""
    topic = "bme680/temperature"
    watcher = mosquitto.subscribe(server, thing, topic, "-C", "6")
    client = client_of(server.port(listener))
    assert client.connect(30)
    sent = [json.dumps(reading(n, value)) for n, value in enumerate([23.6, 23.7, None, 23.5, None, 23.4])]
    for message in sent:
        assert client.publish(topic, message, 1)  # True: the PUBACK came within the time-out
    assert watcher.finish() == 0
    assert mosquitto.payloads(watcher) == sent


def test_subscribe_receives_at_both_qualities(client_of, unique):
    topic, inbox = unique("sdk1/sub"), Inbox()
    client = client_of()
    assert client.connect(30)
    assert client.subscribe(topic + "/+", 1, lambda _client, _userdata, m: inbox.put((m.topic, m.payload, m.qos)))
    assert client.publish(topic + "/a", "one", 1)
    assert client.publish(topic + "/b", "zero", 0)
    assert inbox.wait(2) == [(topic + "/a", b"one", 1), (topic + "/b", b"zero", 0)]
    assert client.unsubscribe(topic + "/+")


def test_offline_queue_and_reconnect(server, thing, client_of, cable, unique):
    """The network goes away: publishes queue up in the SDK, it comes back by itself, subscribes again and drains."""
    topic, count, inbox = unique("sdk1/offline"), 20, Inbox()
    offline, online = threading.Event(), threading.Event()
    watcher = rawmqtt.Client.open(server.address("mqtts"), thing, unique("watcher"))
    assert watcher.subscribe(topic + "/up") == [1]

    client = client_of(cable.port)
    client.onOffline, client.onOnline = offline.set, online.set
    assert client.connect(30)
    assert client.subscribe(topic + "/down", 1, lambda _client, _userdata, m: inbox.put(m.payload))
    online.clear()
    cable.cut()
    assert offline.wait(WAIT), "the SDK did not notice the cut"
    for n in range(count):
        # Offline, the answer says only that the request was queued.
        client.publishAsync(topic + "/up", "queued {}".format(n), 1)
    cable.plug_in()
    assert online.wait(WAIT), "the SDK did not come back"

    got = []
    while len(got) < count:
        _, payload, pid, _ = watcher.expect(rawmqtt.PUBLISH, WAIT).publish()
        watcher.puback(pid)
        got.append(payload.decode())
    assert got == ["queued {}".format(n) for n in range(count)]
    mosquitto.publish(server, thing, topic + "/down", "hello again")
    assert inbox.wait(1, WAIT) == [b"hello again"]
    watcher.close()


def test_persistent_session(server, thing, client_of, unique):
    """cleanSession=False: what was published meanwhile is there after the return."""
    topic, inbox = unique("sdk1/persistent"), Inbox()
    client = client_of(cleanSession=False)
    client.onMessage = lambda m: inbox.put(m.payload.decode())
    assert client.connect(30)
    assert client.subscribe(topic, 1, None)
    assert client.disconnect()
    sent = ["stored {}".format(n) for n in range(20)]
    mosquitto.publish(server, thing, topic, lines=sent)
    assert client.connect(30)
    assert inbox.wait(20) == sent
