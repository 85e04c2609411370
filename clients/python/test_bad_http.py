"""Bad HTTP as a stranger on the network sends it, byte by byte: the documented status and shape, and a request id that
the journal knows."""

import base64
import http.client
import itertools
import json
import os
import re
import socket
import ssl

import pytest
from harness import aws, rawmqtt
from harness.aws import Keys
from harness.journal import Journal
from harness.presign import presigned

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture(scope="module")
def journal(server):
    journal = Journal(server)
    yield journal
    journal.close()


STRANGERS = itertools.count(2)


def dial(server, listener):
    """A connection from an address of its own: the journal joins what the same stranger does again and again."""
    n = next(STRANGERS)
    source = "127.0.{}.{}".format(n // 250, n % 250)
    return socket.create_connection(server.address(listener), 20, (source, 0))


def tls(server, listener):
    context = ssl.create_default_context(cafile=server.ca)
    return context.wrap_socket(dial(server, listener), server_hostname="localhost")


class Answer:
    """One HTTP response off a socket, which stays open."""

    def __init__(self, sock, method="GET"):
        response = http.client.HTTPResponse(sock, method=method)
        response.begin()
        self.status, self.headers = response.status, response.headers
        self.body = b"" if self.status == 101 else response.read()


def ask(server, text, listener="api"):
    """Sends bytes and returns what came back; the socket is closed."""
    with dial(server, listener) if listener == "console" else tls(server, listener) as sock:
        sock.sendall(text if isinstance(text, bytes) else text.encode())
        return Answer(sock)


def refusal(journal, answer, status, name):
    """Checks the shape of an error and returns its message and the journal's entry."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["x-amzn-ErrorType"] == name
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.body)
    request_id = answer.headers["x-amzn-RequestId"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request_id)
    assert isinstance(body["message"], str) and body["message"] and "code" not in body
    assert body.get("traceId", request_id) == request_id
    entry = journal.wait(traceId=request_id)
    assert entry["status"] == "Failure" and entry["cause"]
    return body["message"], entry


GOOD = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "mqtt",
}


def upgrade(server, url, listener="api", line=None, drop=(), **changed):
    """The text of an upgrade, with headers changed or left out."""
    headers = {**GOOD, "Host": "localhost:{}".format(server.port(listener))}
    headers.update({k.replace("_", "-"): v for k, v in changed.items()})
    lines = [line or "GET {} HTTP/1.1".format(url)] + ["{}: {}".format(*h) for h in headers.items() if h[0] not in drop]
    return "\r\n".join([*lines, "", ""])


def connect_over(sock):
    """CONNECT in one masked frame; returns the server's answer, out of its frame."""
    packet = rawmqtt.connect_packet("raw-" + os.urandom(4).hex(), rawmqtt.V5)
    mask = os.urandom(4)
    frame = bytes([0x82, 0x80 | len(packet)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(packet))
    sock.sendall(frame)
    stream = sock.makefile("rb")
    kind, size = stream.read(2)
    assert kind == 0x82, "a binary frame, unmasked"
    if size == 126:
        size = int.from_bytes(stream.read(2), "big")
    return stream.read(size)


def test_a_good_upgrade(server):
    """The control of this file: exactly this is let in, with the answer that the SDKs need."""
    with tls(server, "api") as sock:
        sock.sendall(upgrade(server, presigned(server, server.keys)).encode())
        text = sock.recv(1024)  # the SDK of 2015 reads once
        assert text.startswith(b"HTTP/1.1 101 ") and text.endswith(b"\r\n\r\n")
        assert b"\r\nsec-websocket-accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n" in text
        assert b"\r\nsec-websocket-protocol: mqtt\r\n" in text.lower() and b"extensions" not in text.lower()
        assert connect_over(sock)[0] == 0x20


@pytest.mark.parametrize(
    "changed, status",
    [
        ({"Upgrade": "h2c"}, 400), ({"drop": ["Upgrade"]}, 400), ({"Connection": "keep-alive"}, 400),
        ({"drop": ["Connection"]}, 400), ({"drop": ["Sec-WebSocket-Key"]}, 400), ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "A" * 600}, 400), ({"Sec_WebSocket_Version": "8"}, 426), ({"drop": ["Sec-WebSocket-Version"]}, 426),
        ({"Sec_WebSocket_Protocol": "chat"}, 400), ({"Content_Length": "5"}, 400),
    ],
    ids=str,
)  # fmt: skip
def test_upgrades_with_a_wrong_header(server, journal, changed, status):
    answer = ask(server, upgrade(server, presigned(server, server.keys), **changed))
    refusal(journal, answer, status, "InvalidRequestException")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_upgrades_by_another_method(server, journal, method):
    url = presigned(server, server.keys)
    answer = ask(server, upgrade(server, url, line="{} {} HTTP/1.1".format(method, url), Content_Length="0"))
    refusal(journal, answer, 405, "MethodNotAllowedException")
    assert answer.headers["Allow"] == "GET"


def test_upgrades_on_the_device_listener(server, thing, journal):
    """https wants a certificate and speaks no WebSocket."""
    context = rawmqtt.tls_context(thing)
    with rawmqtt.dial(server.address("https"), context) as sock:
        sock.sendall(upgrade(server, presigned(server, server.keys), "https").encode())
        refusal(journal, Answer(sock), 400, "InvalidRequestException")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"])
def test_foreign_pages_at_the_console(server, journal, origin):
    """The console stands on this machine without TLS: a page of somebody else's must not reach it."""
    for text in (
        upgrade(server, presigned(server, server.keys, "console"), "console", Origin=origin),
        "GET /things HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: {}\r\n\r\n".format(server.port("console"), origin),
    ):
        assert_foreign(journal, ask(server, text, "console"))


def test_a_foreign_name_of_the_console(server, journal):
    """DNS rebinding: the page's own name leads here."""
    text = upgrade(server, presigned(server, server.keys, "console"), "console", Host="evil.example")
    assert_foreign(journal, ask(server, text, "console"))


def assert_foreign(journal, answer):
    _, entry = refusal(journal, answer, 403, answer.headers["x-amzn-ErrorType"])
    assert answer.headers["x-amzn-ErrorType"] in ("AccessDeniedException", "ForbiddenException")
    assert (entry["reason"], entry["listener"]) == ("FOREIGN_PAGE", "console")
    assert "Access-Control-Allow-Origin" not in answer.headers


def signatures(server):
    """Ways in which a signed upgrade is not good, and the reasons that AWS's logs have for them."""
    keys, wrong = server.keys, "SECURITY_TOKEN_SIGNATURE_MISMATCH"
    good = presigned(server, keys)
    session = Keys.of_session(aws.client(server, "sts").get_session_token()["Credentials"])
    return {
        "a flipped bit": (re.sub(r"Signature=(.)", lambda m: "Signature=" + ("1" if m[1] == "0" else "0"), good), wrong),
        "another secret": (presigned(server, Keys(keys.id, "x" * 40)), wrong),
        "another path": (presigned(server, keys, path="/mqtt2").replace("/mqtt2", "/mqtt"), wrong),
        "another service": (presigned(server, keys, service="s3"), wrong),
        "another region in the scope": (good.replace("us-east-1", "eu-west-1"), wrong),
        "an unknown key": (presigned(server, Keys("AKIA" + "Z" * 16, "x" * 40)), "SECURITY_TOKEN_INVALID"),
        "expired": (presigned(server, keys, age=120, expires=60), "SECURITY_TOKEN_EXPIRED"),
        "of tomorrow": (presigned(server, keys, age=-86400), "SECURITY_TOKEN_EXPIRED"),
        "a session without its token": (presigned(server, Keys(session.id, session.secret)), "SECURITY_TOKEN_INVALID"),
        "another's token": (presigned(server, Keys(session.id, session.secret, "x")), "SECURITY_TOKEN_INVALID"),
        "half a signature": (good[:-32], None),
        "no signature": (re.sub("&X-Amz-Signature=.*", "", good), None),
        "no date": (re.sub("&X-Amz-Date=[^&]*", "", good), None),
        "a credential of nonsense": (re.sub("Credential=[^&]*", "Credential=a%2Fb", good), None),
        "another algorithm": (good.replace("HMAC-SHA256", "HMAC-MD5"), None),
        "a parameter more": (good + "&x=1", wrong),
        "a signature twice": (good + "&X-Amz-Signature=" + "0" * 64, None),
    }


def test_upgrades_with_a_bad_signature(server, journal):
    """403 each; the cause in the journal, with the access key that was named."""
    for name, (url, reason) in signatures(server).items():
        answer = ask(server, upgrade(server, url))
        assert answer.status == 403, (name, answer.status, answer.body)
        _, entry = refusal(journal, answer, 403, "ForbiddenException")
        assert reason is None or entry["reason"] == reason, (name, entry)
        if reason:
            assert entry["principalId"] in url, name


def test_replay_after_expiry(server, journal):
    """A URL that somebody found: good for as long as it says and not longer. One signed 50 seconds ago for 60 is."""
    with tls(server, "api") as sock:
        sock.sendall(upgrade(server, presigned(server, server.keys, age=50, expires=60)).encode())
        assert Answer(sock).status == 101
    message, _ = refusal(
        journal, ask(server, upgrade(server, presigned(server, server.keys, age=61, expires=60))), 403, "ForbiddenException"
    )
    assert "expire" in message.lower()


def test_an_unsigned_upgrade_ends_at_connect(server):
    """It is let in, for a custom authorizer may take its CONNECT; none does."""
    with tls(server, "api") as sock:
        sock.sendall(upgrade(server, "/mqtt").encode())
        assert Answer(sock).status == 101
        connack = connect_over(sock)
        assert (connack[0], connack[4]) == (0x20, 0x87), connack
        rest = b""
        while chunk := sock.recv(4096):
            rest += chunk
        assert rest == b"" or rest[0] == 0x88, "nothing but a close frame: {!r}".format(rest)


def signed_headers(server, method, path, body=b"", **params):
    """The headers of a request that botocore signed for the data plane."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys = params.get("keys", server.keys)
    request = AWSRequest(method, server.url() + path, data=body)
    SigV4Auth(Credentials(keys.id, keys.secret, keys.token), params.get("service", "iotdata"), aws.REGION).add_auth(request)
    return dict(request.headers.items())


def send(server, method, path, body=b"", headers=None, listener="api"):
    lines = ["{} {} HTTP/1.1".format(method, path), "Host: localhost:{}".format(server.port(listener))]
    lines += ["{}: {}".format(k, v) for k, v in (headers or {}).items()] + ["Content-Length: {}".format(len(body)), "", ""]
    return ask(server, "\r\n".join(lines).encode() + body, listener)


def test_a_good_request(server):
    """The control of the following."""
    answer = send(server, "POST", "/topics/good", b"x", signed_headers(server, "POST", "/topics/good", b"x"))
    assert answer.status == 200 and json.loads(answer.body)["message"] == "OK"


def test_requests_with_a_bad_signature(server, journal):
    good = signed_headers(server, "POST", "/topics/a", b"x")
    authorization = good["Authorization"]
    bad = {
        "nothing": {},
        "a flipped bit": {**good, "Authorization": authorization[:-1] + ("0" if authorization[-1] != "0" else "1")},
        "another body": {**good, "X-Amz-Content-Sha256": "0" * 64},
        "no date": {k: v for k, v in good.items() if k != "X-Amz-Date"},
        "another scheme": {**good, "Authorization": "Basic dGhpbmc6d2lyZQ=="},
        "no signature": {**good, "Authorization": authorization.split(", Signature")[0]},
        "nonsense": {**good, "Authorization": "AWS4-HMAC-SHA256 " + "x" * 2000},
        "a signed header that is not there": {**good, "Authorization": authorization.replace("host;", "host;x-absent;")},
        "host is not signed": {**good, "Authorization": authorization.replace("host;", "")},
        "for another service": signed_headers(server, "POST", "/topics/a", b"x", service="s3"),
    }
    for name, headers in bad.items():
        answer = send(server, "POST", "/topics/a", b"x", headers)
        assert answer.status == 401, (name, answer.status, answer.body)
        refusal(journal, answer, 401, "UnauthorizedException")


@pytest.mark.parametrize(
    "path",
    [
        "/topics/%zz",
        "/topics/%",
        "/topics/a?qos=7",
        "/topics/a?qos=0&qos=1",
        "/topics/a?retain=maybe",
        "/topics/%ff",
        "/topics/",
    ],
)
def test_requests_that_cannot_be_read(server, journal, path):
    """A 400 with words, whether net/http or the data plane reads it first."""
    answer = send(server, "POST", path, b"x", signed_headers(server, "POST", path, b"x"))
    assert answer.status == 400, answer.body
    if path not in ("/topics/%zz", "/topics/%"):  # no HTTP server reads these
        refusal(journal, answer, 400, "InvalidRequestException")


def test_paths_that_are_nowhere(server):
    """Never HTML, never a redirect: an error that SDKs can read."""
    for path in ("/", "/nothing/here", "/topics", "//topics/a/../b", "/connections/a/b/c", "/retainedMessage/a/../b"):
        answer = send(server, "GET", path, headers=signed_headers(server, "GET", path))
        assert answer.status >= 400 and answer.headers["Content-Type"] == "application/json", (path, answer.status)
        assert answer.headers["x-amzn-ErrorType"] and json.loads(answer.body)["message"], path


@pytest.mark.parametrize(
    "text",
    [b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 64 + b"\r\n\r\n",
     b"POST /topics/a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
     b"GET /mqtt HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n", b"GET /mqtt HTTP/9.9\r\n\r\n"],
    ids=["tls in tls", "no path", "zeros", "negative length", "too long", "a version of tomorrow"],
)  # fmt: skip
def test_what_is_no_http(server, text):
    """A 4xx or the end of the connection, in bounded time and memory."""
    with tls(server, "api") as sock:
        try:
            sock.sendall(text)
            got = sock.recv(4096)
        except (ConnectionError, ssl.SSLError):
            return
    assert got == b"" or re.match(rb"HTTP/1\.[01] (4\d\d|505) ", got), got


def test_smuggled_frames(server):
    """Behind a good upgrade: frames that RFC 6455 forbids end the connection with a close frame, 1002 or 1003 or 1009."""
    for frame in (
        b"\x82\x02ab",  # not masked
        b"\xc2\x80\0\0\0\0",  # a reserved bit
        b"\x83\x80\0\0\0\0",  # a reserved opcode
        b"\x81\x82\0\0\0\0ab",  # text
        b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126),  # a ping of 126 bytes
        b"\x09\x80\0\0\0\0",  # a ping in parts
        b"\x80\x82\0\0\0\0ab",  # the end of nothing
        b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",  # 2^64 bytes
    ):
        with tls(server, "api") as sock:
            sock.sendall(upgrade(server, presigned(server, server.keys)).encode())
            assert Answer(sock).status == 101
            sock.sendall(frame)
            got = b""
            try:
                while chunk := sock.recv(4096):
                    got += chunk
            except (ConnectionError, ssl.SSLError):
                pass
            assert not got or got[0] == 0x88, (frame, got)
