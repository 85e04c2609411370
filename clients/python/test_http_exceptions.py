"""Every exception of the Publish API's page and of the data plane's table, provoked and caught by its class, and found
again by its request id in the journal."""

import contextlib
import resource

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError
from harness import aws, rawmqtt
from harness.aws import CLI, OLD_CLI, Keys, OldBoto3
from harness.journal import Journal
from harness.paho import V5, Client
from harness.server import Server, arn, statement


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with every number of AWS's quotas: the open profile throttles nobody."""
    server = Server(tmp_path_factory.mktemp("thingwire"), flags=["--limits", "aws"]).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


@pytest.fixture(scope="module")
def boto(server):
    return aws.client(server, "iot-data")


@pytest.fixture
def catch(journal):
    """catch(client, name, status): a block in which the client's exception of that class is to be raised; afterwards
    the journal knows the request. It joins repeats, so each test is refused for a topic or a key of its own."""

    @contextlib.contextmanager
    def block(client, name, status):
        with pytest.raises(getattr(client.exceptions, name)) as caught:
            yield caught
        response = caught.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (name, status)
        assert response["Error"]["Message"]
        request_id = response["ResponseMetadata"]["RequestId"]
        caught.entry = journal.wait(traceId=request_id)
        assert caught.entry["status"] == "Failure" and caught.entry["protocol"] == "HTTP"
        assert caught.entry["cause"] and caught.entry["sourceIp"] == "127.0.0.1"

    return block


def test_invalid_request(boto, catch):
    with catch(boto, "InvalidRequestException", 400) as caught:
        boto.publish(topic="invalid/+", payload=b"x")
    assert caught.entry["topicName"] == "invalid/+"


def test_unauthorized_wrong_secret(server, catch, unique):
    keys = aws.create_user(server, unique("forgetful"))
    client = aws.client(server, "iot-data", Keys(keys.id, "x" * 40))
    with catch(client, "UnauthorizedException", 401) as caught:
        client.publish(topic="a", payload=b"x")
    assert caught.entry["principalId"] == keys.id


def test_unauthorized_unknown_key(server, catch):
    client = aws.client(server, "iot-data", Keys("AKIA" + "X" * 16, "x" * 40))
    with catch(client, "UnauthorizedException", 401) as caught:
        client.publish(topic="a", payload=b"x")
    assert caught.entry["principalId"] == "AKIA" + "X" * 16


def test_unauthorized_unsigned(server, catch):
    client = aws.client(server, "iot-data", signature_version=UNSIGNED)
    with catch(client, "UnauthorizedException", 401):
        client.publish(topic="a", payload=b"x")


def test_unauthorized_body_changed_on_the_way(server, catch, unique):
    """A signature is for its body."""
    client = aws.client(server, "iot-data", aws.create_user(server, unique("changed")))

    def change(request, **_):
        request.body = b"changed"
        del request.headers["Content-Length"]
        request.headers["Content-Length"] = "7"

    client.meta.events.register("before-send.iot-data.Publish", change)
    with catch(client, "UnauthorizedException", 401):
        client.publish(topic="a", payload=b"as sent")


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE", "PATCH"])
def test_method_not_allowed(server, catch, method):
    client = aws.client(server, "iot-data")

    def change(params, **_):
        params["method"] = method

    client.meta.events.register("before-call.iot-data.Publish", change)  # before it is signed
    with catch(client, "MethodNotAllowedException", 405) as caught:
        client.publish(topic="method/" + method, payload=b"x")
    assert caught.entry["topicName"] == "method/" + method


def test_throttling(server, boto, catch, unique):
    """The retained message of a topic more than once a second. The message is not delivered either: its sender comes
    again."""
    topic = unique("throttled")
    with catch(boto, "ThrottlingException", 429) as caught:
        for _ in range(20):
            boto.publish(topic=topic, retain=True, payload=b"x")
    assert caught.entry["topicName"] == topic
    assert boto.get_retained_message(topic=topic)["payload"] == b"x"


def test_throttling_is_retried(server, boto, unique):
    """boto3 in its standard mode waits and gets it through, unless it is told to try once."""
    topic, client = unique("patient"), aws.client(server, "iot-data", retries={"total_max_attempts": 10, "mode": "standard"})
    for n in range(2):
        client.publish(topic=topic, retain=True, payload=str(n).encode())
    assert boto.get_retained_message(topic=topic)["payload"] == b"1"


def test_forbidden(server, catch, unique):
    """By policy: no statement, the wrong topic, RETAIN without iot:RetainPublish, an explicit Deny."""
    keys = aws.create_user(
        server, unique("narrow"),
        statement("Allow", "iot:Publish", arn("topic/mine/*")),
        statement("Allow", "iot:RetainPublish", arn("topic/mine/kept")),
        statement("Deny", "iot:Publish", arn("topic/mine/secret")),
    )  # fmt: skip
    client = aws.client(server, "iot-data", keys)
    client.publish(topic="mine/a", payload=b"x")
    client.publish(topic="mine/kept", retain=True, payload=b"x")
    for params in ({"topic": "theirs"}, {"topic": "mine/b", "retain": True}, {"topic": "mine/secret"}):
        with catch(client, "ForbiddenException", 403) as caught:
            client.publish(payload=b"x", **params)
        assert caught.entry["topicName"] == params["topic"]
    for operation, params in (
        ("get_retained_message", {"topic": "mine/kept"}), ("list_retained_messages", {}),
        ("get_connection", {"clientId": "c"}), ("delete_connection", {"clientId": "c"}),
        ("list_subscriptions", {"clientId": "c"}), ("send_direct_message", {"clientId": "c", "topic": "mine/a"}),
    ):  # fmt: skip
        with pytest.raises(ClientError) as e:
            getattr(client, operation)(**params)
        assert e.value.response["Error"]["Code"] == "ForbiddenException", operation


def test_resource_not_found(boto, catch):
    with catch(boto, "ResourceNotFoundException", 404) as caught:
        boto.get_retained_message(topic="nothing/here")
    assert caught.entry["topicName"] == "nothing/here"
    for operation in ("get_connection", "delete_connection", "list_subscriptions"):
        with catch(boto, "ResourceNotFoundException", 404):
            getattr(boto, operation)(clientId="nobody of " + operation)
    with catch(boto, "ResourceNotFoundException", 404):
        boto.send_direct_message(clientId="nobody", topic="a", payload=b"x")


def test_request_entity_too_large(server, thing, catch, unique):
    one, two = (unique("large") for _ in range(2))
    client = aws.client(server, "iot-data", aws.create_user(server, one, statement("Allow", "iot:*", "*")))
    with catch(client, "RequestEntityTooLargeException", 413):
        client.publish(topic="large", payload=bytes(128 * 1024 + 1))
    client = aws.client(server, "iot-data", aws.create_user(server, two, statement("Allow", "iot:*", "*")))
    with Client.open(server, thing, two, V5), catch(client, "RequestEntityTooLargeException", 413):
        client.send_direct_message(clientId=two, topic="large", payload=bytes(128 * 1024 + 1))


def test_gateway_timeout(server, thing, boto, catch, unique):
    """A device that is there and does not acknowledge."""
    name = unique("silent")
    device = rawmqtt.Client.open(server.address("mqtts"), thing, name, rawmqtt.V5)
    with catch(boto, "GatewayTimeoutException", 504) as caught:
        boto.send_direct_message(clientId=name, topic="direct", payload=b"x", confirmation=True, timeout=1)
    assert caught.entry["clientId"] == name
    assert device.expect(rawmqtt.PUBLISH).publish()[:2] == ("direct", b"x")
    device.close()


def test_internal_failure(new_server, unique):
    """A disk that takes nothing: what promises to be on disk is refused, and taken again when the server is back."""
    server = new_server().start()
    client = aws.client(server, "iot-data")
    client.publish(topic="before", qos=1, retain=True, payload=b"x")
    resource.prlimit(server.process.child.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    with pytest.raises(client.exceptions.InternalFailureException) as caught:
        client.publish(topic="during", qos=1, retain=True, payload=b"x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert caught.value.response["ResponseMetadata"]["RequestId"]
    with pytest.raises(client.exceptions.InternalFailureException):
        client.publish(topic="during", qos=1, payload=b"x", retain=True)  # and so it stays
    server.kill()
    server.start()
    client = aws.client(server, "iot-data")
    assert client.get_retained_message(topic="before")["payload"] == b"x"
    client.publish(topic="during", qos=1, retain=True, payload=b"x")


def test_the_old_ones(server):
    """Debian's boto3 knows fewer classes, and all names; both command lines print the name and end with their codes."""
    calls = [
        ({"topic": "a/+"}, "InvalidRequestException", "InvalidRequestException", 400),
        ({"topic": "a", "payload": bytes(128 * 1024 + 1)}, "RequestEntityTooLargeException", "RequestEntityTooLargeException", 413),
    ]  # fmt: skip
    for answer, (_, name, kind, status) in zip(OldBoto3(server).calls(*[("iot-data", "publish", c[0]) for c in calls]), calls):
        assert (answer["error"], answer["class"], answer["status"]) == (name, kind, status)
        assert answer["message"] and answer["requestId"]
    (answer,) = OldBoto3(server, Keys(server.keys.id, "x" * 40)).calls(("iot-data", "publish", {"topic": "a"}))
    assert (answer["error"], answer["class"], answer["status"]) == ("UnauthorizedException", "UnauthorizedException", 401)
    for path in (None, OLD_CLI):
        cli = CLI(server, path)
        done = cli.run("iot-data", "publish", "--topic", "a/#", check=False)
        assert done.returncode == cli.refused
        assert "An error occurred (InvalidRequestException) when calling the Publish operation: " in done.stderr


def test_messages_name_cause_and_remedy(boto):
    """What a person reads of it."""
    with pytest.raises(ClientError) as e:
        boto.publish(topic="a/b/c/d/e/f/g/h/i", payload=b"x")
    assert "slashes" in str(e.value)
