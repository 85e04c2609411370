"""kill -9 in the middle of Sigfox uplinks whose callbacks fail: every frame that was acknowledged is in the list of messages
afterwards, and what was owed to a receiver (Python's own HTTP server) goes on until it has come."""

import http.client
import json
import threading

import pytest
from harness.capture import Capture
from harness.sigfox import PREFIX, eventually

SENDERS = 4
KILLS = 3
ENOUGH = 60  # frames that are acknowledged between two kills
SPEED = 20  # a retry's minute takes three seconds


@pytest.fixture
def receiver():
    with Capture() as receiver:
        yield receiver


def ask(server, method, path, body=None):
    return server.admin(method, PREFIX + path, body)


class Radio(threading.Thread):
    """Sends frames until the server is gone, and remembers which were acknowledged."""

    def __init__(self, server, device, progress):
        super().__init__(daemon=True)
        self._server, self.device, self._progress = server, device, progress
        self.acknowledged = []

    def run(self):
        for n in range(1 << 16):
            try:
                message = ask(self._server, "POST", "devices/{}/uplinks".format(self.device), {"data": "{:04x}".format(n)})
            except (OSError, ValueError, http.client.HTTPException):
                return  # killed: this one is in the balance
            except Exception as e:
                self.wrong = e
                return
            with self._progress:
                self.acknowledged.append((message["number"], message["data"]))
                self._progress.notify_all()


def test_kill_loses_no_uplink_and_no_callback(new_server, receiver):
    # The receiver refuses two frames in three at their first attempt, and takes all of them later.
    seen, lock = set(), threading.Lock()

    def refuse_first(request):
        with lock:
            first = request.body not in seen
            seen.add(request.body)
        return (503 if first and hash(request.body) % 3 else 200), {}, b""

    receiver.answer(refuse_first)
    server = new_server(flags=["--sigfox-speed", str(SPEED)]).start()
    ask(server, "POST", "device-types", {"name": "radios"})
    body = {"channel": "URL", "url": receiver.url + "/in", "httpMethod": "POST", "contentType": "text/plain", "bodyTemplate": "{device} {data} {seqNumber}"}
    callback = ask(server, "POST", "device-types/radios/callbacks", body)
    devices = ["A{}".format(i) for i in range(SENDERS)]
    for device in devices:
        ask(server, "POST", "devices", {"id": device, "deviceTypeId": "radios"})

    acknowledged = {device: {} for device in devices}
    for _ in range(KILLS):
        progress = threading.Condition()
        radios = [Radio(server, device, progress) for device in devices]
        for radio in radios:
            radio.start()
        with progress:
            assert progress.wait_for(lambda: sum(len(r.acknowledged) for r in radios) >= ENOUGH, 60)
        server.kill()
        for radio in radios:
            radio.join(30)
            assert not radio.is_alive() and not hasattr(radio, "wrong"), getattr(radio, "wrong", "it hangs")
            acknowledged[radio.device].update(radio.acknowledged)
        server.start()

    total = sum(len(a) for a in acknowledged.values())
    assert total >= KILLS * ENOUGH
    # Nothing that was acknowledged is missing from the list.
    listed = {}
    for device in devices:
        messages = json.loads(server.run("sigfox", "messages", device, "--limit", "100000", "--output", "json").output())["messages"]
        listed[device] = {m["number"]: m for m in messages}
        for number, data in acknowledged[device].items():
            assert listed[device][number]["data"] == data
    # Each of them comes to the receiver, though the first attempt of most failed: the retries outlive the kills.
    wanted = {"{} {} {}".format(d, listed[d][n]["data"], listed[d][n]["seqNumber"]).encode() for d in devices for n in acknowledged[d]}

    eventually(lambda: wanted <= {r.body for r in list(receiver.requests)}, 60)
    eventually(lambda: ask(server, "GET", "device-types/radios/callbacks/" + callback["id"])["pending"] == 0, 60)
    for device in devices:
        messages = json.loads(server.run("sigfox", "messages", device, "--limit", "100000", "--output", "json").output())["messages"]
        arrows = {m["number"]: m["arrow"] for m in messages}
        assert {arrows[n] for n in acknowledged[device]} == {"green"}
    assert ask(server, "GET", "device-types/radios/undelivered")["items"] == []
    twice = len(receiver.requests) - len({r.body for r in receiver.requests})
    print("{} kills: {} acknowledged, all listed and delivered; {} requests, {} of them again".format(KILLS, total, len(receiver.requests), twice))
    assert not [line for line in server.process.lines + server.logs if "panic" in line]
    server.stop()
    assert "problem" not in server.run("check").output()
