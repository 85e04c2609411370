"""The one-command experiences, as a user types them."""

import json
import os
import pathlib
import re
import stat

import pytest
from harness import mosquitto
from harness.server import BINARY, Process


def test_demo(tmp_path):
    """`thingwire demo --count 3`: a sensor's readings out and back in, and nothing left behind."""
    here, temporary = tmp_path / "here", tmp_path / "tmp"
    here.mkdir()
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    demo = Process([BINARY, "demo", "--count", "3", "--interval", "100ms"], cwd=here, env=environment)
    assert demo.finish(60) == 0, demo.output()
    readings = [json.loads(m.group()) for m in (re.search(r"\{.*\}", line) for line in demo.lines) if m]
    readings = [r for r in readings if "utc_timestamp" in r]
    assert len(readings) >= 3, demo.output()
    for r in readings:
        assert set(r) == {"utc_timestamp", "value", "origin", "status"}
        assert isinstance(r["utc_timestamp"], int) and isinstance(r["origin"], str)
        assert r["status"] == ("fail" if r["value"] is None else "success")
    assert list(here.iterdir()) == [], "it left files where it was started"
    assert list(temporary.iterdir()) == [], "it left its data directory behind"


def test_thing_create_writes_what_a_device_needs(server, unique):
    name = unique("files")
    one = server.create_thing(name)
    out = pathlib.Path(one.cert).parent
    assert stat.S_IMODE((out / (name + ".private.key")).stat().st_mode) == 0o600
    # Never overwritten: a second create fails and leaves the key alone.
    key = pathlib.Path(one.key).read_bytes()
    again = server.run("thing", "create", name, "--out", out, check=False)
    assert again.child.returncode == 1
    assert pathlib.Path(one.key).read_bytes() == key
    listed = json.loads(server.run("thing", "list", "--output", "json").output())
    assert name in json.dumps(listed)
    server.run("thing", "delete", name)
    assert name not in server.run("thing", "list").output()


def test_usage_errors_end_with_2_and_one_line():
    for argv in (["no-such-verb"], ["serve", "--no-such-flag"], ["thing", "create"]):
        process = Process([BINARY, *argv])
        assert process.finish() == 2, process.output()
        assert len(process.lines) == 1, process.output()


def test_data_directory_is_private(server):
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data / "admin.sock").stat().st_mode) == 0o600
    for path in server.data.rglob("*"):
        if path.is_file() and (path.suffix == ".key" or "key" in path.name or path.name == "credentials"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_second_server_on_the_same_data_is_refused_with_words(server):
    process = Process([BINARY, "serve", "--data-dir", server.data, "--listen-shared", "off", "--listen-mqtts", "127.0.0.1:0",
                       "--listen-https", "off", "--listen-api", "off", "--listen-console", "off"])  # fmt: skip
    assert process.finish() == 1
    assert len(process.lines) >= 1 and str(server.data) in process.output(), process.output()


@pytest.mark.parametrize("change", [["--account", "123456789012"], ["--region", "eu-west-1"]])
def test_account_and_region_are_fixed_at_first_start(new_server, change):
    server = new_server().start()
    server.stop()
    assert not (server.data / "endpoints.json").exists()
    other = Process([BINARY, "serve", "--data-dir", server.data, *change, "--listen-shared", "off"])
    assert other.finish() == 1
    assert change[0].lstrip("-") in other.output()


def test_subscribe_shows_messages_live(server, thing, unique):
    topic = unique("live")
    process = Process([BINARY, "subscribe", topic + "/#", "--count", "2", "--data-dir", server.data])
    # It prints nothing before the first message: publish until it has seen one.
    process_json = Process([BINARY, "subscribe", topic + "/#", "--count", "2", "--output", "json", "--data-dir", server.data])
    for _ in range(100):
        mosquitto.publish(server, thing, topic + "/a", '{"n":1}')
        if process.child.poll() is not None and process_json.child.poll() is not None:
            break
    assert process.finish() == 0 and process_json.finish() == 0
    assert [line for line in process.lines if line.startswith(topic)] == [topic + '/a {"n":1}'] * 2
    for line in process_json.lines:
        message = json.loads(line)
        assert (message["topic"], message["qos"]) == (topic + "/a", 1)
