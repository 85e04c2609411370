"""Publish over HTTPS by AWS's own clients, of today and of Debian 12, read back by an MQTT 5 subscriber byte for byte."""

import base64
import json
import os

import pytest
from botocore.exceptions import ClientError
from harness import aws
from harness.aws import PUBLISHERS, OldBoto3
from harness.paho import V3, V5, WAIT, Client, Will


def by(*names):
    return pytest.mark.parametrize("publisher", [PUBLISHERS[name] for name in names], ids=names)


EVERY = by(*PUBLISHERS)
PROPERTIES = [{"deviceName": "alpha"}, {"deviceCnt": "45"}, {"deviceName": "beta"}, {"Größe": "☃ 🦆"}, {"deviceName": ""}]
PAIRS = [("deviceName", "alpha"), ("deviceCnt", "45"), ("deviceName", "beta"), ("Größe", "☃ 🦆"), ("deviceName", "")]
TEXT = '{"temp": 20.5, "ort": "Zürich"}\r\n'.encode()
LARGEST = 128 * 1024


@pytest.fixture
def reader(server, thing, unique):
    with Client.open(server, thing, unique("reader"), V5) as reader:
        yield reader


@pytest.fixture(scope="module")
def boto(server):
    return aws.client(server, "iot-data")


def all_of(message):
    """What the reader got besides topic and payload."""
    names = ["PayloadFormatIndicator", "ContentType", "ResponseTopic", "CorrelationData", "UserProperty"]
    return {name: getattr(message.properties, name, None) for name in names}


NOTHING = dict.fromkeys(["PayloadFormatIndicator", "ContentType", "ResponseTopic", "CorrelationData", "UserProperty"])


@EVERY
def test_every_parameter(server, boto, reader, unique, publisher):
    """Live, then retained, then by GetRetainedMessage."""
    topic = unique("every parameter/of Größe 100%/")
    assert reader.subscribe(topic) == [1]
    publisher(server).publish(
        topic=topic, qos=1, retain=True, payload=TEXT, userProperties=PROPERTIES, payloadFormatIndicator="UTF8_DATA",
        contentType="application/json; charset=utf-8", responseTopic="answers/to ünique", messageExpiry=3600,
        correlationData=base64.b64encode(b"\x00corr\xff").decode(),
    )  # fmt: skip
    live = reader.inbox.wait(1)[0]
    assert reader.subscribe(topic) == [1]
    kept = reader.inbox.wait(2)[1]
    for message, retain in ((live, False), (kept, True)):
        assert (message.topic, message.payload, message.qos, message.retain) == (topic, TEXT, 1, retain)
        assert all_of(message) == {
            "PayloadFormatIndicator": 1,
            "ContentType": "application/json; charset=utf-8",
            "ResponseTopic": "answers/to ünique",
            "CorrelationData": b"\x00corr\xff",
            "UserProperty": PAIRS,
        }
        assert 3500 < message.properties.MessageExpiryInterval <= 3600
    got = boto.get_retained_message(topic=topic)
    assert (got["topic"], got["payload"], got["qos"]) == (topic, TEXT, 1)
    assert json.loads(got["userProperties"]) == PROPERTIES


@EVERY
def test_largest_payload(server, reader, unique, publisher):
    """Bytes that are no text, as many as a message may have, and nothing else."""
    topic, payload = unique("largest"), os.urandom(LARGEST)
    assert reader.subscribe(topic) == [1]
    publisher(server).publish(topic=topic, qos=1, payload=payload)
    (message,) = reader.inbox.wait(1)
    assert (message.payload, message.qos, message.retain) == (payload, 1, False)
    assert all_of(message) == NOTHING and not hasattr(message.properties, "MessageExpiryInterval")


@by("boto3", "boto3 of Debian")
def test_without_any_parameter(server, reader, unique, publisher):
    """An empty message at QoS 0, which is what is left when nothing is said."""
    topic = unique("nothing")
    assert reader.subscribe(topic) == [1]
    publisher(server).publish(topic=topic)
    (message,) = reader.inbox.wait(1)
    assert (message.payload, message.qos, message.retain) == (b"", 0, False)
    assert all_of(message) == NOTHING


@by("boto3", "boto3 of Debian", "aws")
def test_zero_is_a_value(server, reader, unique, publisher):
    """qos=0, retain=false and messageExpiry=0 in words; AWS makes a second of no time at all."""
    topic = unique("zero")
    assert reader.subscribe(topic) == [1]
    publisher(server).publish(
        topic=topic, qos=0, retain=False, messageExpiry=0, payload=b"0", payloadFormatIndicator="UNSPECIFIED_BYTES"
    )
    (message,) = reader.inbox.wait(1)
    assert (message.payload, message.qos, message.retain) == (b"0", 0, False)
    assert message.properties.MessageExpiryInterval == 1
    assert all_of(message) == {**NOTHING, "PayloadFormatIndicator": 0}


def test_expiry_is_capped(boto, reader, unique):
    topic = unique("for ever")
    assert reader.subscribe(topic) == [1]
    boto.publish(topic=topic, qos=1, payload=b"x", messageExpiry=10**9)
    assert reader.inbox.wait(1)[0].properties.MessageExpiryInterval == 7 * 24 * 3600


def test_expiry_ends_a_retained_message(server, thing, boto, unique):
    """Gone for those who subscribe later and for GetRetainedMessage: after a second, when it is asked for."""
    topic = unique("soon gone")
    boto.publish(topic=topic, qos=1, retain=True, payload=b"x", messageExpiry=1)
    with Client.open(server, thing, unique("clock"), V5) as clock:
        # A delayed will is the clock.
        assert clock.subscribe(topic + "/clock") == [1]
        will = Will(topic + "/clock", WillDelayInterval=2)
        Client.open(server, thing, unique("leaver"), V5, will=will, SessionExpiryInterval=60).drop()
        clock.inbox.wait(1)
    with pytest.raises(boto.exceptions.ResourceNotFoundException):
        boto.get_retained_message(topic=topic)


def test_user_properties_as_list_and_as_string(server, boto, reader, unique):
    """boto3 encodes a string once more, as its reference asks for; Debian's does as well."""
    topic = unique("properties")
    assert reader.subscribe(topic) == [1]
    spaced = json.dumps(PROPERTIES, indent=2, ensure_ascii=False)
    forms = [PROPERTIES, json.dumps(PROPERTIES), spaced, '[{"deviceName": "alpha"}, {"deviceCnt": "45"}]', [], "[]"]
    for n, form in enumerate(forms):
        boto.publish(topic=topic, qos=1, payload=str(n).encode(), userProperties=form)
    answers = OldBoto3(server).calls(
        *[("iot-data", "publish", {"topic": topic, "qos": 1, "payload": b"old", "userProperties": form}) for form in forms]
    )
    assert [a.get("error") for a in answers] == [None] * len(forms)
    want = [PAIRS, PAIRS, PAIRS, [("deviceName", "alpha"), ("deviceCnt", "45")], None, None]
    assert [all_of(m)["UserProperty"] for m in reader.inbox.wait(12)] == want + want


@pytest.mark.parametrize(
    "properties", [{"a": "b"}, "not json", '[{"a": "b"}', [["a", "b"]], [{"a": "b", "c": "d"}], [{"a": {}}], [{}], 7, True],
    ids=json.dumps,
)  # fmt: skip
def test_user_properties_that_are_none(boto, unique, properties):
    with pytest.raises(boto.exceptions.InvalidRequestException, match="user-properties|User-Properties"):
        boto.publish(topic=unique("none"), payload=b"x", userProperties=properties)


TOPICS = [
    "room/kitchen lamp",
    "ünïcödé/日本/🦆",
    "100%/a%2Fb/%25/%zz",
    "q?a=1&b=2;c",
    "/lead//x/",
    "//",
    "trailing/",
    "dots/../. /./x",
    "~!@^*()[]{}|\\`\"'<>",
    "colon:semi;comma,equals=",
    "é" * 128,
    "a/b/c/d/e/f/g/h",
    " ",
]  # fmt: skip


def test_topics(server, boto, reader):
    """What a topic may be arrives as it was: published, read as retained, by both generations."""
    assert reader.subscribe(*TOPICS[:8]) == [1] * 8 and reader.subscribe(*TOPICS[8:]) == [1] * len(TOPICS[8:])
    for topic in TOPICS:
        boto.publish(topic=topic, qos=1, retain=True, payload=topic.encode())
    assert [(m.topic, m.payload.decode()) for m in reader.inbox.wait(len(TOPICS))] == [(t, t) for t in TOPICS]
    for topic in TOPICS:
        assert boto.get_retained_message(topic=topic)["topic"] == topic
    old = OldBoto3(server).calls(
        *[("iot-data", "publish", {"topic": t, "qos": 1, "retain": True, "payload": b""}) for t in TOPICS],
        *[("iot-data", "get_retained_message", {"topic": t}) for t in TOPICS],
    )
    assert [a.get("error") for a in old] == [None] * len(TOPICS) + ["ResourceNotFoundException"] * len(TOPICS)
    assert [(m.topic, m.payload) for m in reader.inbox.wait(2 * len(TOPICS))[len(TOPICS) :]] == [(t, b"") for t in TOPICS]


@pytest.mark.parametrize(
    "topic", ["a/+/b", "+", "a/#", "#", "a" * 257, "é" * 129, "a/b/c/d/e/f/g/h/i", "nul\0", "a/+"], ids=lambda t: repr(t[:9])
)
def test_topics_that_are_none(boto, topic):
    with pytest.raises(boto.exceptions.InvalidRequestException):
        boto.publish(topic=topic, payload=b"x")


@pytest.mark.parametrize(
    "parameter",
    [
        {"qos": 2}, {"messageExpiry": -1}, {"responseTopic": "a/+"}, {"responseTopic": "a/#"},
        {"correlationData": "no base64!"}, {"payloadFormatIndicator": "UTF9"}, {"contentType": "a" * 257},
        {"correlationData": base64.b64encode(bytes(8193)).decode()}, {"userProperties": [{"a": "x" * 8192}]},
    ],
    ids=lambda p: "{}={}".format(*next(iter(p.items())))[:40],
)  # fmt: skip
def test_parameters_that_are_none(boto, unique, parameter):
    with pytest.raises(boto.exceptions.InvalidRequestException) as refused:
        boto.publish(topic=unique("none"), payload=b"x", **parameter)
    assert refused.value.response["Error"]["Message"]


def test_one_byte_too_many(boto, unique):
    with pytest.raises(ClientError) as refused:
        boto.publish(topic=unique("too large"), payload=bytes(LARGEST + 1))
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_answer(boto, unique):
    """200, JSON, and a request id, of which boto3 shows the latter."""
    seen = []
    boto.meta.events.register("after-call.iot-data.Publish", lambda http_response, **_: seen.append(http_response))
    answer = boto.publish(topic=unique("answer"), payload=b"x")
    (response,) = seen
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert json.loads(response.content) == {"message": "OK", "traceId": request_id}


def test_old_mqtt_reader(server, thing, boto, unique):
    """A 3.1.1 subscriber gets the message without its properties; a session that slept gets it when it is back."""
    topic, sleeper = unique("old/reader"), unique("sleeper")
    with Client.open(server, thing, sleeper, V3, clean=False) as client:
        assert client.subscribe(topic) == [1]
        client.disconnect()
    boto.publish(topic=topic, qos=1, payload=TEXT, userProperties=PROPERTIES, contentType="text/plain")
    with Client.open(server, thing, sleeper, V3, clean=False) as client:
        assert client.inbox.wait(1, WAIT)[0].payload == TEXT
