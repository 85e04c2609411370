"""The device loses its power, ten thousand messages come for it, the server loses its own, and the device comes back."""

import pathlib
import sys
import threading

from harness.paho import V5, Client
from harness.server import Process

MESSAGES = 10_000
HERE = pathlib.Path(__file__).parent


def reader(server, thing, topic):
    """The SDK's program on the same client id each time."""
    return Process(
        [sys.executable, "-m", "harness.sdk_reader", server.port("mqtts"), thing.cert, thing.key, thing.ca, "killed", topic, MESSAGES],
        cwd=HERE,
    )


def publish_all(server, thing, topic, payloads):
    """Returns when each is acknowledged."""
    left, done = [len(payloads)], threading.Event()

    def on_publish(_client, _userdata, _mid, code, _properties):
        assert code.value == 0, code
        left[0] -= 1
        if left[0] == 0:
            done.set()

    with Client.open(server, thing, "publisher", V5) as publisher:
        publisher.client.on_publish = on_publish
        for payload in payloads:
            publisher.client.publish(topic, payload, 1)
        assert done.wait(120), "{} of {} were not acknowledged".format(left[0], len(payloads))


def test_ten_thousand_messages_wait_for_a_device_that_was_killed(new_server):
    server = new_server().start()
    thing = server.create_thing("thing")
    device = reader(server, thing, "killed/topic")
    device.wait_for_line(lambda line: line == "subscribed", timeout=60)
    device.kill()

    payloads = ["message {}".format(n) for n in range(MESSAGES)]
    publish_all(server, thing, "killed/topic", payloads)
    server.kill()
    server.start()

    device = reader(server, thing, "killed/topic")
    assert device.finish(180) == 0, device.output()[-2000:]
    assert device.lines[0] == "session present: True"
    assert device.lines[1:-1] == payloads
    assert device.lines[-1] == "extra: 0"
    server.stop()
