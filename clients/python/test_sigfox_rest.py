"""Sigfox's REST API v2 as its users call it: requests with basic authentication, following `next`."""

import pytest
import requests
from harness import aws
from harness.capture import Capture
from harness.server import statement
from harness.sigfox import eventually

DEVICES = 230
PAC = "0123456789ABCDEF"


class API:
    """One API user on one of the two paths."""

    def __init__(self, server, keys=None, prefix="/v2"):
        keys = keys or server.keys
        self.base = server.url() + prefix
        self.session = requests.Session()
        self.session.auth, self.session.verify, self.session.trust_env = (keys.id, keys.secret), server.ca, False

    def call(self, method, path, expect=200, **kwargs):
        url = path if path.startswith("https://") else self.base + path
        answer = self.session.request(method, url, timeout=30, allow_redirects=False, **kwargs)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else answer

    def create(self, path, **body):
        answer = self.session.post(self.base + path, json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"].endswith("/" + answer.json()["id"])
        return answer.json()["id"]

    def pages(self, path):
        """Follows next to the end."""
        while path:
            page = self.call("GET", path)
            yield page["data"]
            path = page["paging"].get("next")


@pytest.fixture(scope="module")
def api(server):
    return API(server)


@pytest.fixture(scope="module")
def device_type(api):
    """A device type with more devices than a page has."""
    created = api.create("/device-types/", name="fleet", groupId="000000000000000000000001", contracts=[], payloadType=2)
    for i in range(1, DEVICES + 1):
        api.create("/devices/", id="{:X}".format(i), name="device {}".format(i), deviceTypeId=created, pac=PAC)
    return created


@pytest.mark.parametrize("prefix", ["/v2", "/api/v2"])
@pytest.mark.parametrize("limit", [None, 100, 30])
def test_next_leads_through_all(server, device_type, prefix, limit):
    """Absolute addresses, each device once, none on the last page."""
    api = API(server, prefix=prefix)
    query = "?deviceTypeId={}&fields=deviceType(name)".format(device_type) + ("&limit={}".format(limit) if limit else "")
    pages = list(api.pages("/devices/" + query))
    assert [len(p) for p in pages[:-1]] == [limit or 100] * (DEVICES // (limit or 100))
    devices = [d for page in pages for d in page]
    assert [d["id"] for d in devices] == ["{:X}".format(i) for i in range(1, DEVICES + 1)]
    assert all(d["deviceType"] == {"id": device_type, "name": "fleet"} for d in devices)


def test_partial_put_with_null(api, device_type):
    """Absent members stay, null unsets, times are milliseconds."""
    created = api.create(
        "/device-types/", name="partial", groupId="0" * 24, contracts=[{"id": "x"}], description="words", keepAlive=3600, alertEmail="a@example.com"
    )
    path = "/device-types/" + created
    api.call("PUT", path, 204, json={"alertEmail": None, "name": "renamed"})
    got = api.call("GET", path)
    assert (got["name"], got["description"], got["keepAlive"]) == ("renamed", "words", 3600) and "alertEmail" not in got
    assert 1_700_000_000_000 < got["creationTime"] <= got["lastEditionTime"] < 10_000_000_000_000
    api.call("PUT", path, 204, json={"keepAlive": None, "description": None})
    got = api.call("GET", path)
    assert got["keepAlive"] == 0 and "description" not in got
    assert api.call("DELETE", path, 204).content == b""
    assert api.call("GET", path, 404)["message"]


def test_refusals(server, api, device_type, unique):
    """401 without a body, 400 with all that is wrong, 403, 404, 409."""
    for auth in (None, ("x", "y"), (server.keys.id, "wrong"), (server.keys.id, "")):
        answer = requests.get(api.base + "/devices/", auth=auth, verify=server.ca, timeout=30)
        assert (answer.status_code, answer.content) == (401, b"")
    bad = api.call("POST", "/devices/", 400, json={"id": "not hex", "pac": PAC, "colour": "red"})
    assert {(e["type"], e["field"]) for e in bad["errors"]} == {("body", "colour"), ("body", "deviceTypeId"), ("body", "name")}
    bad = api.call("PUT", "/device-types/" + device_type, 400, json={"payloadType": 3, "payloadConfig": "temp::float:16"})
    assert bad["errors"][0]["field"] == "payloadConfig" and "32 or 64" in bad["errors"][0]["message"]
    assert api.call("GET", "/devices/?limit=1000", 400)["errors"][0] == {"type": "query", "field": "limit", "message": "use 1 to 100"}
    assert api.call("POST", "/devices/", 409, json={"id": "1", "name": "x", "deviceTypeId": device_type, "pac": PAC})["message"]
    assert api.call("GET", "/devices/FFFFFF", 404)["message"]
    assert api.call("POST", "/devices/bulk", 501, json={})["message"]
    assert api.call("GET", "/devices/", 403, headers={"Origin": "https://example.com"})["message"]
    reader = API(server, aws.create_user(server, unique("reader"), statement("Allow", "sigfox:List*", "*")))
    assert reader.call("GET", "/devices/?limit=1")["paging"]["next"]
    assert "sigfox:CreateDevice" in reader.call("POST", "/devices/", 403, json={})["message"]
    console = requests.get("http://127.0.0.1:{}/v2/devices/".format(server.port("console")), auth=(server.keys.id, server.keys.secret), timeout=30)
    assert console.status_code != 200


def test_callbacks_and_messages(new_server):
    """A callback made by the API is called; the message has its status, and what was not delivered is listed."""
    server = new_server(flags=["--sigfox-speed", "1000"]).start()
    api = API(server)
    created = api.create("/device-types/", name="t", groupId="0" * 24, contracts=[])
    api.create("/devices/", id="4D3091", name="room", deviceTypeId=created, pac=PAC)
    with Capture() as capture:
        members = {"channel": "URL", "callbackType": 0, "callbackSubtype": 2, "enabled": True, "httpMethod": "POST"}
        callback = api.create(
            "/device-types/{}/callbacks".format(created), url=capture.url + "/{device}?t={time}", contentType="application/json",
            payloadConfig="temp::float:32", bodyTemplate='{"t":{customData#temp}}', headers={"X-Sequence": "{seqNumber}"}, **members,
        )  # fmt: skip
        server.run("sigfox", "uplink", "4D3091", "41C8CCCD")
        (request,) = capture.wait(1)
        assert (request.method, request.body, request.headers["x-sequence"]) == ("POST", b'{"t":25.1}', "0")
        assert request.path.startswith("/4D3091?t=") and request.headers["content-type"] == "application/json"

        def newest():
            page = api.call("GET", "/devices/4D3091/messages?limit=1&fields=ackRequired,device(name),rinfos(cbStatus)")
            message = page["data"][0]
            return message if message["rinfos"][0].get("cbStatus") else None

        message = eventually(newest)
        assert (message["data"], message["seqNumber"], message["ackRequired"]) == ("41c8cccd", 0, False)
        assert message["device"] == {"id": "4D3091", "name": "room"} and message["time"] > 1_700_000_000_000
        status = message["rinfos"][0]["cbStatus"][0]
        assert (status["status"], status["info"]) == (204, "No Content") and status["cbDef"].startswith("POST http://127.0.0.1")

        capture.answer(lambda request: (404, {}, b""))
        server.run("sigfox", "uplink", "4D3091", "00")
        capture.wait(5)  # one, and three more
    path = "/device-types/{}/callbacks".format(created)
    (lost,) = eventually(lambda: api.call("GET", "/devices/4D3091/callbacks-not-delivered")["data"])
    assert (lost["status"], lost["message"], lost["deviceId"], lost["data"]) == ("404", "Not Found", "4D3091", "00")
    assert lost["callback"]["method"] == "POST" and lost["callback"]["body"] == '{"t":null}' and lost["parameters"]["seqNumber"] == "1"
    for where in (path + "/" + callback, "/device-types/" + created):
        assert api.call("GET", where + "/callbacks-not-delivered")["data"] == [lost]
    assert [c["dead"] for c in api.call("GET", path)["data"]] == [True]
    assert api.call("GET", "/devices/4D3091/messages/metric") == {"lastDay": 2, "lastWeek": 2, "lastMonth": 2}

    one, two = (
        api.create(path, url="https://receiver.example/" + name, **{**members, "callbackSubtype": 3}) for name in ("one", "two")
    )
    for chosen in (one, two):
        api.call("PUT", "{}/{}/downlink".format(path, chosen), 204)
        hooks = {c["id"]: c["downlinkHook"] for c in api.call("GET", path)["data"]}
        assert hooks == {callback: False, one: chosen == one, two: chosen == two}
    api.call("PUT", "{}/{}/enable?enabled=false".format(path, one), 204)
    assert {c["id"]: c["enabled"] for c in api.call("GET", path)["data"]} == {callback: True, one: False, two: True}
    api.call("DELETE", "{}/{}".format(path, one), 204)
    assert len(api.call("GET", path)["data"]) == 2
