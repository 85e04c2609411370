"""What a real Sigfox backend sends, by requests and curl, to receiving endpoints; paho sees the messages."""

import http.server
import json
import subprocess
import threading

import pytest
import requests
from harness import paho
from harness.sigfox import Sigfox

UPLINK = {"device": "4D3091", "time": "1491234567", "data": "41c8cccd", "seqNumber": "7"}
WANT = {"device": "4D3091", "time": 1491234567, "data": "41c8cccd", "seqNumber": 7, "temp": 25.1}


@pytest.fixture
def endpoint(server, unique, thing):
    """Makes a receiving endpoint with the verb, and a subscriber to its topic: what was printed, the URL, the subscriber."""
    clients = []

    def make(*flags):
        name = unique("field")
        made = json.loads(server.run("sigfox", "receiver", "create", name, "--topic", name + "/{device}", "--output", "json", *flags).output())
        client = paho.Client.open(server, thing, unique("sigfox-subscriber"))
        assert client.subscribe(name + "/#") == [1]
        clients.append(client)
        return made, server.url() + made["path"], client

    yield make
    for client in clients:
        client.disconnect()


def send(server, url, method="POST", **kwargs):
    return requests.request(method, url, verify=server.ca, timeout=20, allow_redirects=False, **kwargs)


def test_json_and_form_with_requests(server, endpoint):
    """The body templates of Sigfox's documentation, as its backend renders them."""
    made, url, client = endpoint("--payload", "temp::float:32", "--qos", "1")
    assert made["secret"] in url
    for kwargs in (
        {"json": UPLINK},
        {"json": {**UPLINK, "time": 1491234567, "seqNumber": 7, "snr": None}},
        {"data": UPLINK},
        {"params": UPLINK, "method": "GET"},
        {"data": {**UPLINK, "station": "null"}, "method": "PUT"},
    ):
        answer = send(server, url, **kwargs)
        assert (answer.status_code, answer.content) == (204, b""), answer.text
    for message in client.inbox.wait(5):
        assert message.topic == made["name"] + "/4D3091"
        got = json.loads(message.payload)
        assert got == WANT


def test_curl(server, endpoint, tmp_path):
    """A body of one's own, names of one's own, the secret in a header."""
    body = tmp_path / "message.json"
    body.write_text('{\n"t" : {customData#temp},\n"who" : "{device}"\n}')
    made, url, client = endpoint(
        "--auth", "header", "--variable", "device=id", "--variable", "data=d", "--payload", "temp::float:32", "--body", "@{}".format(body)
    )
    assert made["secret"] not in url
    argv = ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", server.ca, "--write-out", "%{http_code}"]
    argv += ["--header", "X-Sigfox-Secret: " + made["secret"], "--data", "id=4d3091&d=41c8cccd", url]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "204"
    (message,) = client.inbox.wait(1)
    assert message.payload == b'{\n"t" : 25.1,\n"who" : "4D3091"\n}'


def test_secrets(server, endpoint):
    """Basic authentication as requests does it; whoever does not know the secret learns nothing."""
    made, url, client = endpoint("--auth", "basic", "--login", "backend")
    assert send(server, url, json=UPLINK, auth=("backend", made["secret"])).status_code == 204
    client.inbox.wait(1)
    for kwargs in ({}, {"auth": ("backend", "x" * 26)}, {"auth": ("x", made["secret"])}, {"headers": {"X-Sigfox-Secret": made["secret"]}}):
        answer = send(server, url, json=UPLINK, **kwargs)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    nobody = send(server, url + "-not", json=UPLINK, auth=("backend", made["secret"]))
    assert (nobody.status_code, nobody.content) == (401, b"")
    shown = server.run("sigfox", "receiver", "show", made["name"]).output() + server.run("sigfox", "receiver", "list", "--output", "json").output()
    assert made["name"] in shown and made["secret"] not in shown
    journal = server.run("why", "sigfox/" + made["name"], check=False).output()
    assert made["secret"] not in journal and made["secret"] not in server.process.output()
    files = b"".join(p.read_bytes() for p in server.data.rglob("*") if p.is_file())
    assert made["secret"].encode() not in files


def test_refusals(server, endpoint):
    """The sender is told what is wrong, and so is who asks why."""
    made, url, client = endpoint()
    for kwargs, status, words in (
        ({"data": "device=1", "headers": {"Content-Type": "text/plain"}}, 415, "application/json"),
        ({"json": {**UPLINK, "data": "41c8ccc"}}, 400, "is no payload"),
        ({"json": {**UPLINK, "data": "00" * 13}}, 400, "0 to 12 bytes"),
        ({"json": {**UPLINK, "device": "a/b"}}, 400, "is no device id"),
        ({"json": {**UPLINK, "x": "y" * (128 << 10)}}, 413, "over the limit"),
        ({"json": UPLINK, "headers": {"Origin": "https://example.com"}}, 403, "web page"),
        ({"method": "DELETE"}, 405, "method"),
    ):
        answer = send(server, url, **kwargs)
        assert answer.status_code == status and words in answer.json()["message"], answer.text
    try:  # 10 MB: refused before it is read, so that a sender which goes on sending may miss the answer
        assert send(server, url, json={**UPLINK, "x": "y" * (10 << 20)}).status_code == 413
    except requests.exceptions.ConnectionError:
        pass
    assert "is no payload" in server.run("why", "sigfox/" + made["name"]).output()
    server.run("sigfox", "receiver", "disable", made["name"])
    assert send(server, url, json=UPLINK).status_code == 403
    server.run("sigfox", "receiver", "enable", made["name"])
    assert send(server, url, json=UPLINK).status_code == 204
    assert len(client.inbox.wait(1)) == 1
    server.run("sigfox", "receiver", "delete", made["name"])
    assert send(server, url, json=UPLINK).status_code == 401


def test_downlinks(server, endpoint):
    """A BIDIR callback is answered with what was queued, or with what was retained for the device; once."""
    made, url, client = endpoint("--callback", "BIDIR", "--downlink", "queue")
    ask = {**UPLINK, "ack": True}
    assert send(server, url, json=ask).status_code == 204
    server.run("sigfox", "receiver", "downlink", made["name"], "4d3091", "DEADBEEFCAFEBABE")
    assert send(server, url, json={**UPLINK, "ack": "false"}).status_code == 204
    answer = send(server, url, data={**UPLINK, "ack": "true"})
    assert (answer.status_code, answer.json()) == (200, {"4D3091": {"downlinkData": "deadbeefcafebabe"}})
    assert answer.headers["Content-Type"] == "application/json"
    assert send(server, url, json=ask).status_code == 204
    client.inbox.wait(4)  # each is a message all the same

    made, url, client = endpoint("--callback", "BIDIR", "--downlink", "topic", "--downlink-topic", "down/{device}")
    assert send(server, url, json=ask).status_code == 204
    client.publish("down/4D3091", '{"downlinkData":"0011223344556677"}', retain=True)
    assert send(server, url, json=ask).json() == {"4D3091": {"downlinkData": "0011223344556677"}}
    assert send(server, url, json=ask).status_code == 204


def test_kill(new_server):
    """What was answered is on disk: the endpoint, the downlink that waits, the one that was taken, the message."""
    server = new_server().start()
    thing = server.create_thing("reader")
    made = json.loads(
        server.run("sigfox", "receiver", "create", "field", "--topic", "field", "--qos", "1", "--callback", "BIDIR", "--downlink", "queue", "--output", "json").output()
    )
    reader = paho.Client.open(server, thing, "reader", clean=False)
    assert reader.subscribe("field") == [1]
    reader.disconnect()
    for device in ("1", "2"):
        server.run("sigfox", "receiver", "downlink", "field", device, "0011223344556677")
    ask = {**UPLINK, "ack": True}
    assert send(server, server.url() + made["path"], json={**ask, "device": "1"}).status_code == 200
    server.kill()
    server.start()
    url = server.url() + made["path"]
    assert send(server, url, json={**ask, "device": "1"}).status_code == 204
    assert send(server, url, json={**ask, "device": "2"}).json() == {"2": {"downlinkData": "0011223344556677"}}
    reader = paho.Client.open(server, thing, "reader", clean=False)
    assert [json.loads(m.payload)["device"] for m in reader.inbox.wait(3)] == ["1", "1", "2"]
    reader.disconnect()


class Tunnel:
    """A reverse proxy, as one stands before a server: what it forwards comes from an address that is not the sender's."""

    def __init__(self, server):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
                answer = requests.post(server.url() + self.path, body, headers=headers, verify=server.ca, timeout=20)
                self.send_response(answer.status_code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = "http://127.0.0.1:{}".format(self._server.server_address[1])

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def test_a_callback_onto_ourselves(server, endpoint):
    """Refused when the address is looked at; behind a proxy, which hides it, refused when it arrives."""
    made, url, client = endpoint()
    sigfox = Sigfox(server)
    body = {"channel": "URL", "httpMethod": "POST", "contentType": "application/json", "bodyTemplate": '{"device":"{device}"}'}
    callback = sigfox.callback(url=url, **body)
    sigfox.uplink()
    latest = sigfox.tried()["results"][0]["latest"]
    assert latest["status"] == 0 and latest["info"].startswith("Address refused") and "listener of this server" in latest["info"], latest
    sigfox.delete_callback(callback)
    tunnel = Tunnel(server)
    sigfox.callback(url=tunnel.url + made["path"], **body)
    sigfox.uplink()
    latest = sigfox.tried()["results"][0]["latest"]
    tunnel.close()
    assert latest["status"] == 508, latest
    assert "its own receiving endpoint" in server.run("why", "sigfox/" + made["name"]).output()
    assert not client.inbox.messages
