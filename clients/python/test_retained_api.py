"""Retained messages by GetRetainedMessage and ListRetainedMessages, as AWS's clients page through them."""

import concurrent.futures
import time

import pytest
from harness import aws
from harness.aws import CLI, OLD_CLI, OldBoto3
from harness.paho import V5, Client

COUNT = 310


@pytest.fixture(scope="module")
def boto(server):
    return aws.client(server, "iot-data", max_pool_connections=8)


def for_each(function, items):
    """With eight threads on one client, which boto3 allows."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(function, items))


@pytest.fixture(scope="module")
def topics(boto):
    """Retained messages of two QoS and of sizes of their own, on topics that a path has to escape."""
    topics = ["shelf/{:03} 100% ☃".format(n) for n in range(COUNT)]
    for_each(
        lambda t: boto.publish(topic=t, qos=topics.index(t) % 2, retain=True, payload=b"x" * topics.index(t) or b"0"), topics
    )
    return topics


def pages(client, **params):
    """All pages, and all tokens, none of which comes twice."""
    pages, tokens = [], set()
    while True:
        page = client.list_retained_messages(**params)
        pages.append(page["retainedTopics"])
        token = page.get("nextToken")
        if not token:
            return pages
        assert token not in tokens
        tokens.add(token)
        params["nextToken"] = token


@pytest.mark.parametrize("size", [1, 7, 100, 200, None])
def test_pages(boto, topics, size):
    """Every topic once, whatever the size of a page."""
    got = pages(boto, **({"maxResults": size} if size else {}))
    assert all(len(page) <= (size or 200) for page in got) and len(got) >= COUNT / (size or 200)
    assert sorted(row["topic"] for page in got for row in page) == topics
    if size == 100:
        now = time.time() * 1000
        for row in (row for page in got for row in page):
            n = topics.index(row["topic"])
            assert (row["payloadSize"], row["qos"]) == (n or 1, n % 2)
            assert now - 120_000 < row["lastModifiedTime"] <= now + 1000


def test_paginators(server, boto, topics):
    """boto3's, the command lines', and Debian's."""
    assert sorted(boto.get_paginator("list_retained_messages").paginate().search("retainedTopics[].topic")) == topics
    for path in (None, OLD_CLI):
        rows = CLI(server, path).json("iot-data", "list-retained-messages", "--page-size", 150)["retainedTopics"]
        assert sorted(row["topic"] for row in rows) == topics
    (first,) = OldBoto3(server).calls(("iot-data", "list_retained_messages", {"maxResults": 200}))
    (second,) = OldBoto3(server).calls(("iot-data", "list_retained_messages", {"nextToken": first["nextToken"]}))
    assert sorted(row["topic"] for row in first["retainedTopics"] + second["retainedTopics"]) == topics


@pytest.mark.parametrize("params", [{"maxResults": 201}, {"nextToken": "x"}, {"nextToken": "AAAA"}], ids=str)
def test_pages_that_are_none(boto, topics, params):
    with pytest.raises(boto.exceptions.InvalidRequestException):
        boto.list_retained_messages(**params)


def test_a_token_outlives_changes(boto, topics):
    """A page goes on where the one before ended, even when its last topic was deleted between the two."""
    first = boto.list_retained_messages(maxResults=100)
    last = first["retainedTopics"][-1]["topic"]
    boto.publish(topic=last, retain=True)
    rest = pages(boto, maxResults=200, nextToken=first["nextToken"])
    boto.publish(topic=last, qos=topics.index(last) % 2, retain=True, payload=b"x" * topics.index(last))
    seen = [row["topic"] for row in first["retainedTopics"]] + [row["topic"] for page in rest for row in page]
    assert sorted(seen) == topics


def test_an_empty_payload_deletes(server, thing, boto, topics, unique):
    """It is a message as well, which subscribers get; whoever subscribes later gets nothing."""
    topic, with_space = topics[7], topics[8]
    with Client.open(server, thing, unique("deleter"), V5) as client:
        assert client.subscribe(topic) == [1]
        assert client.inbox.wait(1)[0].retain
        boto.publish(topic=topic, qos=1, retain=True, payload=b"")
        message = client.inbox.wait(2)[1]
        assert (message.payload, message.retain) == (b"", False)
        with pytest.raises(boto.exceptions.ResourceNotFoundException):
            boto.get_retained_message(topic=topic)
        assert topic not in [row["topic"] for page in pages(boto) for row in page]
        # One space is a payload.
        boto.publish(topic=with_space, qos=1, retain=True, payload=b" ")
        assert boto.get_retained_message(topic=with_space)["payload"] == b" "
        assert client.subscribe(topic, with_space) == [1, 1]
        assert client.inbox.wait(3)[2].topic == with_space, "the deleted one was delivered"
    boto.publish(topic=topic, qos=1, retain=True, payload=b"x" * 7)
    boto.publish(topic=with_space, qos=0, retain=True, payload=b"x" * 8)


def test_a_device_s_message(server, thing, boto, unique):
    """What a device retains is read by HTTP, and what HTTP retains is replaced by a device."""
    topic = unique("both")
    with Client.open(server, thing, unique("device"), V5) as client:
        client.publish(topic, b"\x00\xff", qos=1, retain=True, UserProperty=[("a", "1"), ("a", "2")])
        got = boto.get_retained_message(topic=topic)
        assert (got["payload"], got["qos"], got["userProperties"]) == (b"\x00\xff", 1, b'[{"a":"1"},{"a":"2"}]')
        boto.publish(topic=topic, retain=True, payload=b"http")
        got = boto.get_retained_message(topic=topic)
        assert (got["payload"], got["qos"], got.get("userProperties")) == (b"http", 0, None)
        client.publish(topic, b"", qos=1, retain=True)
    with pytest.raises(boto.exceptions.ResourceNotFoundException):
        boto.get_retained_message(topic=topic)


def test_they_survive_the_server(new_server):
    """What 200 promised is there after kill -9."""
    server = new_server().start()
    boto = aws.client(server, "iot-data")
    for n in range(20):
        boto.publish(topic="kept/{}".format(n), qos=n % 2, retain=True, payload=str(n).encode())
    server.kill()
    server.start()
    boto = aws.client(server, "iot-data")
    for n in range(20):
        assert boto.get_retained_message(topic="kept/{}".format(n))["payload"] == str(n).encode()
