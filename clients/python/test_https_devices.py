"""Devices over HTTPS: curl and Python with a client certificate, on the https listener and by ALPN on the shared one."""

import http.client
import json
import ssl
import subprocess

import pytest
from harness import aws
from harness.journal import Journal
from harness.paho import V5, Client
from harness.server import arn, policy, statement


def curl(server, *args):
    """(status, headers, body) of one request by curl."""
    argv = ["curl", "--silent", "--show-error", "--include", "--max-time", "30", "--http1.1", "--cacert", server.ca, *args]
    done = subprocess.run(argv, capture_output=True, timeout=60, env=aws.bare_environment(server.folder))
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
    return int(lines[0].split()[1]), headers, body


def of(thing):
    return ["--cert", thing.cert, "--key", thing.key]


@pytest.fixture
def reader(server, thing, unique):
    with Client.open(server, thing, unique("reader"), V5) as reader:
        yield reader


def test_curl_as_the_guide_has_it(server, thing, reader):
    """POST https://endpoint:8443/topics/my/topic?qos=1 with raw slashes."""
    assert reader.subscribe("curl/my//topic") == [1]
    status, headers, body = curl(
        server, *of(thing), "--request", "POST", "--data", '{ "message": "Hello, world" }',
        server.url("https") + "/topics/curl/my//topic?qos=1",
    )  # fmt: skip
    assert status == 200 and headers["content-type"] == "application/json"
    assert json.loads(body) == {"message": "OK", "traceId": headers["x-amzn-requestid"]}
    (message,) = reader.inbox.wait(1)
    assert (message.payload, message.qos) == (b'{ "message": "Hello, world" }', 1)
    assert not hasattr(message.properties, "ContentType"), "the Content-Type of HTTP is not the message's"


def test_every_parameter_by_curl(server, thing, reader, tmp_path):
    """The headers and the query that the guide has for MQTT 5 properties, and a file in chunks."""
    assert reader.subscribe("curl/every") == [1]
    file = tmp_path / "payload"
    file.write_bytes(bytes(range(256)) * 100)
    status, _, _ = curl(
        server, *of(thing), "--data-binary", "@" + str(file),
        "--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue",
        "--header", "x-amz-mqtt5-user-properties: W3siZGV2aWNlTmFtZSI6ImFscGhhIn0seyJkZXZpY2VDbnQiOiI0NSJ9XQ==",
        "--header", "x-amz-mqtt5-payload-format-indicator: UNSPECIFIED_BYTES",
        "--header", "x-amz-mqtt5-correlation-data: Y29ycg==",
        server.url("https") + "/topics/curl%2Fevery?qos=1&contentType=text%2Fplain&responseTopic=curl%2Fanswers&messageExpiry=60",
    )  # fmt: skip
    assert status == 200
    (message,) = reader.inbox.wait(1)
    p = message.properties
    assert message.payload == file.read_bytes()
    assert (p.ContentType, p.ResponseTopic, p.CorrelationData) == ("text/plain", "curl/answers", b"corr")
    assert p.PayloadFormatIndicator == 0
    assert p.UserProperty == [("deviceName", "alpha"), ("deviceCnt", "45")] and p.MessageExpiryInterval <= 60


@pytest.mark.parametrize("listener", ["api", "shared"])
def test_curl_signs(server, reader, listener):
    """curl's own Signature Version 4."""
    assert reader.subscribe("curl/signed") == [1]
    keys = server.keys
    status, _, body = curl(
        server, "--aws-sigv4", "aws:amz:us-east-1:iotdata", "--user", "{}:{}".format(keys.id, keys.secret),
        "--data", listener, server.url(listener) + "/topics/curl/signed?qos=1",
    )  # fmt: skip
    assert status == 200, body
    assert reader.inbox.wait(1)[0].payload == listener.encode()


def test_curl_is_refused(server, thing, tmp_path):
    """Statuses and names as AWS has them, to a client that knows no SDK."""
    large = tmp_path / "large"
    large.write_bytes(bytes(128 * 1024 + 1))
    journal = Journal(server)
    url = server.url("https") + "/topics/"
    try:
        for args, status, name in (
            ([*of(thing), "--data", "x", url + "a%2F%2B"], 400, "InvalidRequestException"),
            ([*of(thing), url + "a"], 405, "MethodNotAllowedException"),
            ([*of(thing), "--data-binary", "@" + str(large), url + "a"], 413, "RequestEntityTooLargeException"),
            (["--data", "x", server.url("api") + "/topics/a"], 401, "UnauthorizedException"),
            ([*of(thing), server.url("https") + "/retainedMessage/not%2Fthere"], 404, "ResourceNotFoundException"),
        ):  # fmt: skip
            got, headers, body = curl(server, *args)
            assert (got, headers["x-amzn-errortype"]) == (status, name), body
            answer = json.loads(body)
            assert answer["message"] and answer["traceId"] == headers["x-amzn-requestid"]
            journal.wait(traceId=answer["traceId"], status="Failure")
    finally:
        journal.close()


def test_policy_of_the_certificate(server, unique):
    """The certificate's policy decides; there is no client id and no thing over HTTPS."""
    document = policy(
        statement("Allow", "iot:Publish", [arn("topic/https/mine"), arn("topic/https/${iot:Connection.Thing.ThingName}")]),
        statement("Allow", "iot:Publish", arn("topic/https/${iot:ClientId}/x")),
    )  # fmt: skip
    one = server.create_thing(unique("https-thing"), document)
    for topic, want in (("mine", 200), ("theirs", 403), (one.name, 403), ("x", 403), ("mine?retain=true", 403)):
        status, headers, body = curl(server, *of(one), "--data", "x", server.url("https") + "/topics/https/" + topic)
        assert status == want, (topic, body)
        if want == 403:
            assert headers["x-amzn-errortype"] == "ForbiddenException"


def test_an_inactive_certificate(server, unique):
    """Refused from the next request on, on a connection that was kept alive too."""
    one = server.create_thing(unique("inactive"))
    context = ssl.create_default_context(cafile=server.ca)
    context.load_cert_chain(one.cert, one.key)
    connection = http.client.HTTPSConnection("localhost", server.port("https"), timeout=20, context=context)
    connection.request("POST", "/topics/a?qos=1", b"x")
    response = connection.getresponse()
    assert response.status == 200 and response.read()
    server.set_certificate_status(one, "INACTIVE")
    connection.request("POST", "/topics/a?qos=1", b"x")
    response = connection.getresponse()
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (401, "UnauthorizedException")
    assert json.loads(response.read())["message"]
    connection.close()


@pytest.mark.parametrize(
    "listener, alpn", [("shared", "x-amzn-http-ca"), ("https", "x-amzn-http-ca"), ("https", "http/1.1"), ("https", None)]
)
def test_by_alpn(server, thing, reader, listener, alpn):
    """x-amzn-http-ca on 443, which curl cannot say and Python can."""
    assert reader.subscribe("alpn/topic") == [1]
    context = ssl.create_default_context(cafile=thing.ca)
    context.load_cert_chain(thing.cert, thing.key)
    if alpn:
        context.set_alpn_protocols([alpn])
    connection = http.client.HTTPSConnection("localhost", server.port(listener), timeout=20, context=context)
    for n in range(3):  # kept alive
        connection.request("POST", "/topics/alpn/topic?qos=1", str(n).encode())
        response = connection.getresponse()
        assert response.status == 200 and json.loads(response.read())["message"] == "OK"
    if alpn:
        assert connection.sock.selected_alpn_protocol() == alpn
    connection.close()
    assert [m.payload for m in reader.inbox.wait(3)] == [b"0", b"1", b"2"]


def test_openssl_as_the_guide_has_it(server, thing, reader):
    """openssl s_client -alpn x-amzn-http-ca, with the request on its standard input."""
    assert reader.subscribe("openssl/topic") == [1]
    request = (
        "POST /topics/openssl/topic?qos=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    )
    done = subprocess.run(
        ["openssl", "s_client", "-quiet", "-alpn", "x-amzn-http-ca", "-servername", "localhost", "-verify_return_error",
         "-connect", "127.0.0.1:443", "-CAfile", server.ca, "-cert", thing.cert, "-key", thing.key, "-ign_eof"],
        input=request.encode(), capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.startswith(b"HTTP/1.1 200 OK\r\n"), (done.stdout, done.stderr)
    assert reader.inbox.wait(1)[0].payload == b"hello"


def test_retained_by_certificate(server, thing):
    """The rest of the data plane is open to a certificate as well."""
    assert curl(server, *of(thing), "--data", "kept", server.url("https") + "/topics/cert/kept?retain=true&qos=1")[0] == 200
    status, _, body = curl(server, *of(thing), server.url("https") + "/retainedMessage/cert%2Fkept")
    assert status == 200 and json.loads(body)["payload"] == "a2VwdA=="
