"""A session that is away and holds as much as it may: by default it loses the newest message and `why` says so; with
`--queue-full refuse` the publisher is told, by paho on both versions and by boto3."""

import re
import urllib.request

import pytest
from botocore.exceptions import ClientError
from harness import aws, mosquitto
from harness.journal import Journal
from harness.paho import V3, V5, Client

QUOTA_EXCEEDED = 0x97
MESSAGES = 3
VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])


@pytest.fixture
def start(new_server):
    """Starts a server with flags, and follows its journal."""
    journals = []

    def start(*flags):
        server = new_server(flags=flags).start()
        journals.append(Journal(server))
        return server, server.create_thing("thing"), journals[-1]

    yield start
    for journal in journals:
        journal.close()


def sleeper(server, thing, topic, client_id):
    """A persistent session whose client is away."""
    mosquitto.subscribe(server, thing, topic, "-c", "-E", client_id=client_id).finish()


def wakes(server, thing, topic, client_id, count):
    """What it gets when it comes back."""
    process = mosquitto.subscribe(server, thing, topic, "-c", "-C", count, client_id=client_id, wait=False)
    assert process.finish() == 0
    return mosquitto.payloads(process)


def lost(server):
    """How many messages were lost to full queues, as Prometheus sees it."""
    with urllib.request.urlopen("http://{}:{}/metrics".format(*server.address("console"))) as answer:
        text = answer.read().decode()
    return float(re.search(r'^thingwire_dropped_total\{reason="queue_full"\} (\S+)$', text, re.M).group(1))


def test_the_newest_is_lost(start):
    server, thing, journal = start("--queue-messages", MESSAGES)
    sleeper(server, thing, "full", "sleeper")
    with Client.open(server, thing, "publisher") as publisher:
        for n in range(MESSAGES + 1):
            assert publisher.publish("full", str(n))[0] == 0
    told = journal.told("sleeper", eventType="Queued", status="Failure")
    assert told["reason"] == "QUEUE_FULL"
    told.explains(["limit of {} messages".format(MESSAGES), "newest messages are lost"], ["queue_full: refuse"])
    assert lost(server) == 1
    assert wakes(server, thing, "full", "sleeper", MESSAGES) == [str(n) for n in range(MESSAGES)]


@VERSIONS
def test_the_publisher_is_refused(start, version):
    """And nobody gets what was refused: the publisher sends it again when there is room."""
    server, thing, journal = start("--queue-messages", MESSAGES, "--queue-full", "refuse")
    sleeper(server, thing, "full", "sleeper")
    with Client.open(server, thing, "witness") as witness, Client.open(server, thing, "publisher", version) as publisher:
        assert witness.subscribe("full") == [1]
        for n in range(MESSAGES):
            assert publisher.publish("full", str(n))[0] == 0
        mid = publisher.send("full", "too much")
        if version == V5:
            code, properties = publisher.answer(mid)
            assert code == QUOTA_EXCEEDED
            assert "sleeper" not in properties.ReasonString, "the publisher learned somebody's client id"
            told = journal.told("publisher", eventType="Publish-In", status="Failure")
            assert publisher.publish("full", "a QoS 0 message needs no queue", qos=0)[0] == 0
        else:
            assert publisher.closed.wait(20)
            told = journal.told("publisher", eventType="Disconnect", disconnectReason="THROTTLED")
            with Client.open(server, thing, "other") as other:
                other.publish("full", "a QoS 0 message needs no queue", qos=0)
        assert (told["reason"], told["packet"], told["reasonCode"]) == ("QUEUE_FULL", "PUBLISH", QUOTA_EXCEEDED)
        told.explains(["queue is full", '"sleeper"'], "again later")
        assert witness.texts(MESSAGES + 1)[MESSAGES:] == ["a QoS 0 message needs no queue"]

        story = journal.told("sleeper", eventType="Queued", status="Failure")
        assert (story["reason"], story["topicName"]) == ("QUEUE_FULL", "full")
        story.explains(["limit of {} messages".format(MESSAGES), "publisher was refused"], "read more often")
        assert lost(server) == 0

        assert wakes(server, thing, "full", "sleeper", MESSAGES) == [str(n) for n in range(MESSAGES)]
        with Client.open(server, thing, "publisher", version) as again:
            assert again.publish("full", "now there is room")[0] == 0
        assert wakes(server, thing, "full", "sleeper", 1) == ["now there is room"]


def test_publish_over_https_is_refused(start):
    server, thing, journal = start("--queue-messages", MESSAGES, "--queue-full", "refuse")
    sleeper(server, thing, "full", "sleeper")
    boto = aws.client(server, "iot-data")
    for n in range(MESSAGES):
        boto.publish(topic="full", qos=1, payload=str(n))
    with pytest.raises(ClientError) as refused:
        boto.publish(topic="full", qos=1, payload="too much")
    answer = refused.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (429, "ThrottlingException")
    assert "queue is full" in answer["Error"]["Message"] and "sleeper" not in answer["Error"]["Message"]
    entry = journal.wait(eventType="Publish-In", protocol="HTTP", reason="QUEUE_FULL")
    assert '"sleeper"' in entry["cause"] and entry["topicName"] == "full"
    assert wakes(server, thing, "full", "sleeper", MESSAGES) == [str(n) for n in range(MESSAGES)]


def test_a_queue_that_stands_still_is_too_old(start):
    """The age is what the oldest message has waited: publishing goes on until it is reached."""
    server, thing, journal = start("--queue-age", "1s", "--queue-full", "refuse")
    sleeper(server, thing, "old", "sleeper")
    with Client.open(server, thing, "publisher", V5) as publisher:
        accepted = 0
        while (code := publisher.publish("old", str(accepted))[0]) == 0:
            accepted += 1
            assert accepted < 100_000, "the queue takes everything"
        assert code == QUOTA_EXCEEDED and accepted > 0
    told = journal.told("sleeper", eventType="Queued", status="Failure")
    assert told["reason"] == "QUEUE_FULL"
    told.explains("oldest message has waited for 1s", "read more often")
    # What waited is not lost for its age.
    assert wakes(server, thing, "old", "sleeper", accepted) == [str(n) for n in range(accepted)]
