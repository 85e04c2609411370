"""The exercises of AWS's SDK tutorial, line by line: its pubsub.py on the SDK, and `thingwire pubsub` with the same flags."""

import pathlib
import re
import sys

import pytest
from harness import mosquitto
from harness.server import BINARY, ENDPOINT, Process

DOCUMENT = '{"timestamp":1601048303,"sensorId":28,"sensorData":[{"sensorName":"Wind speed","sensorValue":34.2211224}]}'
LIGHT = '{ "desiredLight": 100, "currentLight": 50 }'
TEMP = '{ "desiredTemp": 20, "currentTemp": 15 }'

PYTHON = [sys.executable, str(pathlib.Path(__file__).parent / "tutorial" / "pubsub.py")]
THINGWIRE = [BINARY, "pubsub"]


def start(program, server, thing, *flags, port="mqtts"):
    """Starts a pubsub as the tutorial does. The SDK goes to port 443 by itself when no --port is given."""
    argv = [*program, "--endpoint", ENDPOINT, "--root-ca", thing.ca, "--cert", thing.cert, "--key", thing.key]
    if port:
        argv += ["--port", server.port(port)]
    return Process([*argv, *flags], cwd=server.folder)


def lines_of(process):
    """The printed lines, with the generated client id replaced."""
    assert process.finish() == 0, process.output()
    return [re.sub(r"test-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "test-UUID", line) for line in process.lines]


def opening(topic):
    return [
        "Connecting to localhost with client ID 'test-UUID'...",
        "Connected!",
        "Subscribing to topic '{}'...".format(topic),
        "Subscribed with QoS.AT_LEAST_ONCE",
    ]


CLOSING = ["2 message(s) received.", "Disconnecting...", "Disconnected!"]


@pytest.mark.parametrize(
    "program, port", [(PYTHON, None), (PYTHON, "mqtts"), (THINGWIRE, "mqtts"), (THINGWIRE, "shared")],
    ids=["sdk-443", "sdk-mqtts", "thingwire-mqtts", "thingwire-443"],
)  # fmt: skip
def test_first_run(server, thing, program, port):
    """Before the exercises: two messages to oneself, numbered."""
    got = lines_of(start(program, server, thing, "--topic", "topic_1", "--count", "2", port=port))
    assert got == [
        *opening("topic_1"),
        "Sending 2 message(s)",
        "Publishing message to topic 'topic_1': Hello World! [1]",
        "Received message from topic 'topic_1': b'Hello World! [1]'",
        "Publishing message to topic 'topic_1': Hello World! [2]",
        "Received message from topic 'topic_1': b'Hello World! [2]'",
        *CLOSING,
    ]


@pytest.mark.parametrize("program", [PYTHON, THINGWIRE], ids=["sdk", "thingwire"])
def test_exercise_1_wildcard_topic_filter(server, thing, program):
    """Subscribe to device/+/details with an empty message and wait for two messages on two topics."""
    process = start(program, server, thing, "--message", "", "--count", "2", "--topic", "device/+/details")
    process.wait_for_line(lambda line: line == "Waiting for all messages to be received...")
    # Near misses of the filter come first: none may be shown.
    for topic in ["device/details", "device/a/b/details", "device/temp/detail"]:
        mosquitto.publish(server, thing, topic, "no")
    mosquitto.publish(server, thing, "device/temp/details", TEMP)
    mosquitto.publish(server, thing, "device/light/details", LIGHT)
    assert lines_of(process) == [
        *opening("device/+/details"),
        "Waiting for all messages to be received...",
        "Received message from topic 'device/temp/details': b'{}'".format(TEMP),
        "Received message from topic 'device/light/details': b'{}'".format(LIGHT),
        *CLOSING,
    ]


def test_exercise_2_process_topics(server, thing):
    """The program evaluates the topics of what it receives."""
    process = start(PYTHON, server, thing, "--message", "", "--count", "2", "--topic", "device/+/details", "--exercise", "2")
    process.wait_for_line(lambda line: line == "Waiting for all messages to be received...")
    mosquitto.publish(server, thing, "device/light/details", LIGHT)
    mosquitto.publish(server, thing, "device/temp/details", TEMP)
    assert lines_of(process) == [
        *opening("device/+/details"),
        "Waiting for all messages to be received...",
        "Received message from topic 'device/light/details': b'{}'".format(LIGHT),
        "Received light request: b'{}'".format(LIGHT),
        "Received message from topic 'device/temp/details': b'{}'".format(TEMP),
        "Received temperature request: b'{}'".format(TEMP),
        *CLOSING,
    ]


@pytest.mark.parametrize(
    "program, flags", [(PYTHON, ["--exercise", "3"]), (THINGWIRE, [])], ids=["sdk", "thingwire"]
)  # fmt: skip
def test_exercise_3_publish_json(server, thing, program, flags):
    """A JSON document on device/data, twice; a second client sees the document as it was sent."""
    watcher = mosquitto.subscribe(server, thing, "device/data", "-C", "2")
    process = start(program, server, thing, "--topic", "device/data", "--count", "2", "--message", DOCUMENT, *flags)
    publishing = "Publishing message to topic 'device/data': " + DOCUMENT
    received = "Received message from topic 'device/data': b'{}'".format(DOCUMENT)
    assert lines_of(process) == [
        *opening("device/data"),
        "Sending 2 message(s)",
        publishing, received, publishing, received,
        *CLOSING,
    ]  # fmt: skip
    assert watcher.finish() == 0
    assert mosquitto.payloads(watcher) == [DOCUMENT, DOCUMENT]
