"""What a receiver that is none of ours gets from callbacks and may answer them: batches, downlinks by each answer that Sigfox
documents, acknowledgements, and paho as the one who feeds downlinks and hears of their fate."""

import json

import pytest
from harness.capture import Capture
from harness.paho import V5, Client
from harness.server import Server
from harness.sigfox import Sigfox, eventually

SPEED = "20"  # 20 seconds of the air take one; a receiver has half a second
DATA = "deadbeefcafebabe"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("thingwire"), flags=["--sigfox-speed", SPEED]).start()
    yield server
    server.stop()


@pytest.fixture
def receiver():
    with Capture() as receiver:
        yield receiver


def http(receiver, **members):
    return {"channel": "URL", "url": receiver.url + "/in", "httpMethod": "POST", "contentType": "application/json", **members}


def test_request_as_it_was_written(server, receiver):
    sigfox = Sigfox(server)
    sigfox.callback(
        **http(
            receiver, url=receiver.url.replace("http://", "http://login:password@") + "/{device}?t={time}&d={data}", payloadConfig="temp::float:32 n::uint:8",
            headers=[{"name": "X-Seq", "value": "{seqNumber}"}], bodyTemplate='{\n "temp" : {customData#temp}, "n": {customData#n}, "rssi": {rssi}\n}',
        )
    )  # fmt: skip
    sigfox.uplink("41C8CCCD", time="2017-04-03T15:49:27Z", seqNumber=7, rssi=-128.5)
    (request,) = receiver.wait(1)
    assert (request.method, request.path) == ("POST", "/{}?t=1491234567&d=41c8cccd".format(sigfox.device))
    assert request.headers["authorization"] == "Basic bG9naW46cGFzc3dvcmQ="
    assert request.headers["x-seq"] == "7" and request.headers["content-type"] == "application/json"
    assert request.body == b'{\n "temp" : 25.1, "n": null, "rssi": -128.50\n}'
    message = sigfox.settled()
    assert message["arrow"] == "green" and message["results"][0]["latest"]["status"] == 204
    assert message["hints"][0] == "n needs 5 bytes, this frame has 4"
    assert "password" not in json.dumps(message)


def test_batch_gathers_a_second(server, receiver):
    sigfox = Sigfox(server)
    sigfox.callback(channel="BATCH_URL", url=receiver.url + "/in?batch={batch}", httpMethod="GET", linePattern="{device};{data};")
    for n in range(20):
        sigfox.uplink("{:02x}".format(n))
    eventually(lambda: "".join(r.path for r in list(receiver.requests)).count("%3B13%3B"))
    got = "".join(r.path.removeprefix("/in?batch=") for r in receiver.requests)
    assert got == "".join("{}%3B{:02x}%3B".format(sigfox.device, n) for n in range(20))
    assert len(receiver.requests) < 20, "nothing was gathered"


@pytest.mark.parametrize(
    "status, answer, code, data",
    [
        (200, {"downlinkData": DATA}, 0, DATA),
        (200, {"downlinkData": DATA.upper()}, 0, DATA),
        (200, {"noData": True}, 1, None),
        (204, None, 1, None),
        (200, None, 1, None),
        (200, {"downlinkData": DATA[2:]}, 2, None),
        (200, {"downlinkData": "no hex digits at"}, 2, None),
        (500, {"downlinkData": DATA}, 4, None),
    ],
)
def test_answers_of_a_bidir_callback(server, receiver, status, answer, code, data):
    sigfox = Sigfox(server, downlinkMode=1)
    text = b"" if answer is None else json.dumps({sigfox.device.lower(): answer, "FFFFFFFF": {}}).encode()
    receiver.answer(lambda request: (status, {"Content-Type": "application/json"}, text) if request.path == "/bidir" else (200, {}, b""))
    asked = sigfox.callback(**http(receiver, url=receiver.url + "/bidir", callbackSubtype=3, bodyTemplate='{"id":"{device}","ack":{ack}}'))
    sigfox.call("PUT", "device-types/{}/callbacks/{}/downlink".format(sigfox.type, asked))
    sigfox.callback(
        **http(receiver, url=receiver.url + "/ack", callbackType=1, callbackSubtype=4, bodyTemplate='{"code":{infoCode},"text":"{infoMessage}","ack":{downlinkAck}}')
    )
    sent = sigfox.uplink("01", ackRequired=True, **{"await": True})
    assert sent.get("downlink") == data
    asked_for = next(r for r in receiver.requests if r.path == "/bidir")
    assert json.loads(asked_for.body) == {"id": sigfox.device, "ack": True}
    told = eventually(lambda: [r for r in list(receiver.requests) if r.path == "/ack"])
    body = json.loads(told[0].body)
    assert (body["code"], body["ack"]) == (code, code == 0)
    message = sigfox.newest()
    assert message["downlink"]["arrow"] == ("green" if code == 0 else "red")
    if code == 2:
        assert message["results"][0]["latest"]["info"] == "Downlink: invalid payload"


def test_the_fifth_downlink_of_a_day(server):
    sigfox = Sigfox(server, downlinkMode=0, downlinkDataString="{time}00000001")
    got = [sigfox.uplink("01", ackRequired=True, **{"await": True}).get("downlink") for _ in range(5)]
    assert all(d and d.endswith("00000001") for d in got[:4]) and got[4] is None
    assert eventually(lambda: sigfox.newest()["downlink"]["infoCode"] not in (5,) and sigfox.newest())["downlink"]["infoCode"] == 7


def test_paho_feeds_a_downlink_and_hears_of_it(server):
    sigfox = Sigfox(server, downlinkMode=1)
    thing = server.create_thing("feeder")
    topic = "sigfox/downlink/" + sigfox.device
    with Client.open(server, thing, "feeder", V5) as client:
        assert client.subscribe(topic + "/ack") == [1]
        assert client.publish(topic, json.dumps({"downlinkData": DATA}))[0] == 0
        eventually(lambda: sigfox.call("GET", "devices/" + sigfox.device).get("queuedDownlink"))
        assert sigfox.uplink("01", ackRequired=True, **{"await": True})["downlink"] == DATA
        (text,) = client.texts(1)
        told = json.loads(text)
        assert told["downlinkAck"] is True and told["downlinkData"] == DATA and told["infoCode"] == 0
    assert "queuedDownlink" not in sigfox.call("GET", "devices/" + sigfox.device)
