"""docs/sigfox.md by the word: its commands, in their order, in a shell."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from harness import paho
from harness.aws import bare_environment, new_cli
from harness.server import BINARY
from harness.sigfox import eventually

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "sigfox.md"


def indented(text):
    """The lines that stand as commands, output and files: indented by four."""
    return "\n".join(line[4:] for line in text.split("\n") if line.startswith("    "))


def commands(text):
    """The commands, with the lines that go on joined."""
    for line in indented(text).replace("\\\n", " ").split("\n"):
        if line.startswith(("thingwire ", "aws ")):
            yield line


@pytest.fixture
def shell(new_server):
    """A shell in a folder, with the two programs and what `thingwire env` prints; a minute is 60 milliseconds."""
    server = new_server(flags=["--sigfox-speed", "1000"]).start()
    env = {**bare_environment(server.folder), **server.keys.environment(), "AWS_DEFAULT_REGION": "us-east-1"}
    env |= {"AWS_ENDPOINT_URL": server.url(), "AWS_CA_BUNDLE": server.ca, "THINGWIRE_DATA_DIR": str(server.data)}
    env["PATH"] = ":".join([os.path.dirname(os.path.abspath(BINARY)), os.path.dirname(new_cli()), os.environ["PATH"]])

    def run(command):
        done = subprocess.run(["bash", "-euc", command], env=env, cwd=server.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, "{}\n{}{}".format(command, done.stdout, done.stderr)
        return done.stdout

    run.server = server
    return run


def test_the_document(shell):
    text = DOCUMENT.read_text()
    (shell.server.folder / "body.json").write_text(re.search(r"(?ms)^\{$.*?^\}$", indented(text)).group())
    client = paho.Client.open(shell.server, shell.server.create_thing("reader"), "reader")
    client.subscribe("sigfox")
    names, said, ran = {}, {}, 0
    for command in commands(text):
        if command.startswith("thingwire serve") or command.startswith("thingwire subscribe"):
            continue  # it runs; and paho watches
        for name, value in names.items():
            command = re.sub(r"\b{}\b".format(name), value, command)
        assert not re.search(r"\b(DRAFT|EXTERNAL_ID|ROLE_ARN|CALLBACK)\b", command), command
        out, ran = shell(command), ran + 1
        said[command.split(" --")[0]] = out
        if " callback draft " in command:
            names["DRAFT"], names["EXTERNAL_ID"] = re.search("Draft ([0-9a-f]+) has the external id ([0-9a-f-]+)", out).groups()
        if command.endswith("stack show"):
            names["ROLE_ARN"] = re.search("arn:aws:iam::[^ ]+:role/[^\\s]+", out).group()
        if " callback create " in command:
            names["CALLBACK"] = re.search("Callback ([0-9a-f]{24}) is saved", out).group(1)
        if " modem " in command:
            messages = [json.loads(m.payload) for m in client.inbox.wait(2)]
            assert [m["temperature"] for m in messages] == ["25.1", "null"]
            eventually(lambda: shell("thingwire sigfox messages 4D3091").count("200 success") == 2)
        if command.endswith("41C80000") and " uplink " in command:
            eventually(lambda: re.search("\\^ (green|red) ", shell("thingwire sigfox messages 4D3091 --limit 1")))
    client.disconnect()
    assert ran == 21, "the document has {} commands".format(ran)
    assert "temp needs 4 bytes, this frame has 3" in shell("thingwire sigfox messages 4D3091")
    assert said["thingwire sigfox callback test rooms " + names["CALLBACK"]].startswith("^ red  403 UnauthorizedException: iot:Publish ")
    assert "UnauthorizedException: iot:Publish" in said["thingwire sigfox messages 4D3091"]
    assert re.search("temp +.*25.0", said["thingwire sigfox decode temp::float:32 41C80000"])
