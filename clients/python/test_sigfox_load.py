"""Ten thousand frames whose receiver hangs: another receiver gets the next frame at once, the server keeps its memory and is
ready at once after kill -9, and when the receiver answers, every frame comes to it."""

import concurrent.futures
import os
import time

import pytest
from harness.capture import Capture
from harness.sigfox import PREFIX, eventually

FRAMES = int(os.environ.get("THINGWIRE_SIGFOX_FRAMES", "10000"))
DEVICES = 100
OFF = {"https": "off", "api": "off", "console": "off", "shared": "off"}


@pytest.fixture
def receiver():
    with Capture() as receiver:
        yield receiver


def resident(server):
    """The server's resident memory in MB."""
    with open("/proc/{}/status".format(server.process.child.pid)) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def test_ten_thousand_frames_whose_receiver_hangs(new_server, receiver):
    hanging = True
    receiver.answer(lambda request: None if hanging and request.path == "/hangs" else (200, {}, b""))
    server = new_server(listeners=OFF, flags=["--sigfox-speed", "10"]).start()

    def call(method, path, body=None):
        return server.admin(method, PREFIX + path, body)

    def save(url):
        body = {"channel": "URL", "url": receiver.url + url, "contentType": "text/plain", "bodyTemplate": "{device} {seqNumber} {data}"}
        return call("POST", "device-types/radios/callbacks", body)["id"]

    call("POST", "device-types", {"name": "radios"})
    hung = save("/hangs")
    for n in range(1, DEVICES + 1):
        call("POST", "devices", {"id": "{:X}".format(n), "deviceTypeId": "radios"})

    def send(n):
        m = call("POST", "devices/{:X}/uplinks".format(n % DEVICES + 1), {"data": "{:06x}".format(n)})
        return "{} {} {}".format(m["device"], m["seqNumber"], m["data"]).encode()

    before = resident(server)
    with concurrent.futures.ThreadPoolExecutor(8) as radios:
        frames = set(radios.map(send, range(FRAMES)))
    assert len(frames) == FRAMES

    # Somebody else's callback does not wait behind them.
    well = save("/well")
    began = time.monotonic()
    newest = send(FRAMES)
    eventually(lambda: any(r.path == "/well" and r.body == newest for r in list(receiver.requests)), 5)
    took = time.monotonic() - began
    grown = resident(server) - before
    assert grown < 150, "{} MB more resident".format(grown)

    # kill -9 loses none of them.
    server.kill()
    hanging = False
    began = time.monotonic()
    server.start()
    ready = time.monotonic() - began
    eventually(lambda: frames <= {r.body for r in list(receiver.requests) if r.path == "/hangs"}, 120)
    for callback in (hung, well):
        eventually(lambda: call("GET", "device-types/radios/callbacks/" + callback)["pending"] == 0, 60)
    assert call("GET", "device-types/radios/undelivered")["items"] == []
    print("{} frames owed: the next one came elsewhere after {:.0f} ms, {:.0f} MB more resident, ready {:.2f} s after kill -9".format(FRAMES, took * 1000, grown, ready))
    server.stop()
