"""The whole of Sigfox's AWS how-to, from the board's AT command to the MQTT client: the stack by `aws cloudformation deploy`,
the callback, an uplink from the modem, the green arrow, the message; then each way to fail with its red arrow and its words."""

import json
import re
import signal
import socket
import struct

import pytest
from harness import paho
from harness.aws import CLI, OLD_CLI
from harness.capture import Capture
from harness.server import BINARY, Process
from harness.sigfox import Sigfox, eventually

ACCOUNT, REGION, DEVICE = "000000000000", "us-east-1", "4D3091"
SPEED = 1000  # retries after 60, 120 and 240 milliseconds
BODY = '{\n"device" : "{device}",  \n"time" : "{time}",  \n"temperature" : "{customData#temp}"\n}'


class Seed:
    """A server with the how-to's device type and device, by the verbs."""

    def __init__(self, server, cli=None):
        self.server, self.cli = server, CLI(server, cli)
        self.verb("device-type", "create", "rooms", "--payload-config", "temp::float:32")
        self.verb("device", "create", DEVICE, "--device-type", "rooms")

    def verb(self, *args, check=True):
        return self.server.run("sigfox", *args, check=check).output()

    def json(self, *args):
        return json.loads(self.verb(*args, "--output", "json"))

    def draft(self):
        """The callback page as it opens: the draft's id, and the external id that it shows."""
        draft = self.json("callback", "draft", "rooms")
        return draft["id"], draft["externalId"]

    def stack(self, name, external_id, region=REGION, topic="sigfox", check=True):
        """Launch Stack: the template, the four parameters, the box that acknowledges IAM. Its outputs, and the role's name."""
        template = self.server.folder / "sigfox.yaml"
        template.write_text(self.verb("stack", "template") + "\n")
        parameters = {"AWSAccountId": ACCOUNT, "ExternalId": external_id, "Region": region, "TopicName": topic}
        self.cli.run(
            "cloudformation", "deploy", "--template-file", template, "--stack-name", name, "--capabilities", "CAPABILITY_IAM",
            "--parameter-overrides", *("{}={}".format(k, v) for k, v in parameters.items()),
        )  # fmt: skip
        (stack,) = self.cli.json("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        (resource,) = self.cli.json("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}, resource["PhysicalResourceId"]

    def callback(self, draft, outputs, body=BODY, payload="temp::float:32", **changes):
        """What is pasted into the page and saved. Its id."""
        values = {"role-arn": outputs["ARNRole"], "topic": outputs["Topic"], "region": outputs["Region"], **changes}
        flags = [text for name, value in values.items() for text in ("--" + name, value)]
        return self.json(
            "callback", "create", "rooms", "--channel", "AWS_IOT", "--draft", draft, "--payload-config", payload, "--body", body, *flags
        )["id"]

    def newest(self):
        return self.json("messages", DEVICE, "--limit", "1")["messages"][0]

    def settled(self):
        """The newest message when its arrow is of a colour that stays."""
        return eventually(lambda: (lambda m: m if m["arrow"] in ("green", "red") else None)(self.newest()))


class Board:
    """The board of the how-to: its firmware's bytes on the modem's serial line."""

    def __init__(self, server):
        argv = [BINARY, "sigfox", "modem", "--device", DEVICE, "--tcp", "127.0.0.1:0", "--speed", SPEED, "--data-dir", server.data]
        self.process = Process(argv, cwd=server.folder)
        line = self.process.wait_for_line(lambda line: line.startswith("The modem is on "))
        host, port = line.split()[-1].rsplit(":", 1)
        self.line = socket.create_connection((host, int(port)), timeout=20)
        self.answers = self.line.makefile("rb")
        self.line.sendall(b"+++")
        assert self.answer() == "OK"

    def answer(self):
        while not (answer := self.answers.readline().strip()):
            pass
        return answer.decode()

    def loop(self, celsius):
        """One loop of the sketch: the float's memory from index 3 down to 0, each byte as print(x, HEX) has it. The answer."""
        self.line.sendall(b"AT$SF=" + b"".join("{:X}".format(b).encode() for b in reversed(struct.pack("<f", celsius))) + b"\r")
        return self.answer()

    def close(self):
        self.line.close()
        self.process.child.send_signal(signal.SIGTERM)
        assert self.process.finish() == 0, self.process.output()


@pytest.fixture
def seed(new_server):
    return lambda cli=None: Seed(new_server(flags=["--sigfox-speed", str(SPEED)]).start(), cli)


@pytest.mark.parametrize("cli", [None, OLD_CLI], ids=["aws", "aws of Debian"])
def test_the_seed(seed, cli):
    """Chapters 1 to 3."""
    seed = seed(cli)
    draft, external_id = seed.draft()
    outputs, role = seed.stack("stack", external_id)
    assert re.fullmatch("stack-crossAccountRole-[A-Z0-9]{12}", role)
    assert outputs == {"ARNRole": "arn:aws:iam::{}:role/{}".format(ACCOUNT, role), "Topic": "sigfox", "Region": REGION}
    seed.callback(draft, outputs)

    # "Paste the crossAccountRole value into Device Gateway Connection, and subscribe to the topic."
    thing = seed.server.create_thing("test-client")
    client = paho.Client.open(seed.server, thing, role)
    assert client.subscribe("sigfox") == [1]

    board = Board(seed.server)
    try:
        assert board.loop(25.1) == "OK"
        (message,) = client.inbox.wait(1)
        got = re.fullmatch('{\n"device" : "4D3091",  \n"time" : "([0-9]{10})",  \n"temperature" : "25.1"\n}', message.payload.decode())
        assert got and message.topic == "sigfox" and message.qos == 0 and not message.retain
        listed = seed.settled()
        assert (listed["arrow"], listed["data"], listed["results"][0]["latest"]["status"]) == ("green", "41c8cccd", 200)
        text = seed.verb("messages", DEVICE)
        assert "green" in text and "temp=25.1" in text

        # 25.0 °C is what the sketch cannot print: three bytes, a green arrow, and null.
        assert board.loop(25.0) == "OK"
        second = client.inbox.wait(2)[1]
        assert json.loads(second.payload)["temperature"] == "null"
        listed = seed.settled()
        assert (listed["arrow"], listed["data"]) == ("green", "41c800")
        assert any("temp needs 4 bytes, this frame has 3" in hint for hint in listed["hints"]), listed["hints"]
        # 23.0625 °C has seven digits: the modem says ERROR, and there is no message.
        assert board.loop(23.0625) == "ERROR"
        assert seed.newest()["number"] == listed["number"]
    finally:
        board.close()
        client.disconnect()


def red(seed, status, info, remedy, attempts=4):
    """Sends a frame and expects its red arrow, with its words, after all retries."""
    seed.verb("uplink", DEVICE, "41C8CCCD")
    message = seed.settled()
    (result,) = message["results"]
    latest = result["latest"]
    assert message["arrow"] == "red" and result["attempts"] == attempts, result
    assert latest["status"] == status and re.match(info, latest["info"]) and remedy in latest["remedy"], latest
    lost = seed.json("messages", DEVICE, "--undelivered")["undelivered"]
    assert lost[0]["latest"]["info"] == latest["info"] and lost[0]["number"] == message["number"]
    assert latest["info"] in seed.verb("messages", DEVICE, "--limit", "1")
    return latest


def test_failures_of_the_account(seed):
    """What the real backend shows as a red arrow alone, told apart."""
    seed = seed()
    draft, external_id = seed.draft()
    outputs, role = seed.stack("stack", external_id)
    elsewhere, _ = seed.stack("elsewhere", external_id, region="eu-west-1")
    assume, publish = "AccessDenied: sts:AssumeRole " + re.escape(outputs["ARNRole"]), "UnauthorizedException: iot:Publish arn:aws:iot:"

    def failing(draft, status, info, remedy, outputs=outputs, attempts=4, **changes):
        callback = seed.callback(draft, outputs, **changes)
        red(seed, status, info, remedy, attempts)
        seed.verb("callback", "delete", "rooms", callback)

    # A callback of its own has an external id of its own, which this stack does not trust.
    failing(seed.draft()[0], 403, assume + "$", "sts:ExternalId is another one")
    # A role that is not there.
    failing(seed.draft()[0], 403, assume + "x$", "there is no such role", **{"role-arn": outputs["ARNRole"] + "x"})
    # The stack was made for another region: its policy names the topic there.
    failing(draft, 403, publish + "eu-west-1:{}:topic/sigfox$".format(ACCOUNT), "the topic and the region", outputs=elsewhere)


def test_failures_of_the_topic_and_the_stack(seed):
    """Another topic than the stack's; then the stack is deleted under a callback that works."""
    seed = seed()
    draft, external_id = seed.draft()
    outputs, role = seed.stack("stack", external_id)
    callback = seed.callback(draft, outputs)
    publish = "UnauthorizedException: iot:Publish arn:aws:iot:{}:{}:topic/".format(REGION, ACCOUNT)
    seed.verb("callback", "update", "rooms", callback, "--topic", "sigfox/other")
    red(seed, 403, publish + "sigfox/other$", "the role's policy has to allow iot:Publish there")
    seed.verb("callback", "update", "rooms", callback, "--topic", "sigfox")
    seed.verb("uplink", DEVICE, "41C8CCCD")
    assert seed.settled()["arrow"] == "green"
    seed.cli.run("cloudformation", "delete-stack", "--stack-name", "stack")
    seed.cli.run("cloudformation", "wait", "stack-delete-complete", "--stack-name", "stack")
    # The session that the backend still has ends with its role; a new one is refused.
    red(seed, 403, "AccessDenied: sts:AssumeRole " + re.escape(outputs["ARNRole"]), "there is no such role")
    seed.stack("stack-again", external_id)


def test_a_body_that_is_no_json(seed):
    """Nothing is sent: a text of the payload that stands without quotes is no JSON."""
    seed = seed()
    draft, external_id = seed.draft()
    outputs, _ = seed.stack("stack", external_id)
    seed.callback(draft, outputs, payload="s::char:4", body='{"s":{customData#s}}')
    seed.verb("uplink", DEVICE, "61626364")
    message = seed.settled()
    latest = message["results"][0]["latest"]
    assert (message["arrow"], latest["status"], latest["info"]) == ("red", 0, "JSON body could not be evaluated")


ANSWERS = {
    500: ("Internal Server Error", "the receiver failed"),
    404: ("Not Found", "nothing at this path"),
    302: ("Found", "redirects are not followed"),
    401: ("Unauthorized", "other credentials"),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_receivers_that_refuse(new_server, status):
    """A URL callback: four times the same request, then the red arrow; a redirect leads nowhere."""
    info, remedy = ANSWERS[status]
    with Capture() as elsewhere, Capture(lambda request: (status, {"Location": elsewhere.url + "/x"}, b"no")) as capture:
        sigfox = Sigfox(new_server(flags=["--sigfox-speed", str(SPEED)]).start())
        sigfox.callback(channel="URL", url=capture.url + "/{device}", httpMethod="POST", contentType="application/json", bodyTemplate='{"seq":{seqNumber}}')
        sigfox.uplink()
        message = sigfox.settled()
        latest = message["results"][0]["latest"]
        assert (message["arrow"], latest["status"], latest["info"]) == ("red", status, info) and remedy in latest["remedy"]
        requests = capture.wait(4)
        assert len(requests) == 4 and {(r.path, r.body) for r in requests} == {("/" + sigfox.device, b'{"seq":0}')}
        assert elsewhere.requests == []
        capture.answer(lambda request: (204, {}, b""))
        sigfox.uplink()
        assert sigfox.settled()["arrow"] == "green"


def test_receivers_that_are_not_there(server, new_server):
    """No connection: status 0, and the cause in words."""
    sigfox = Sigfox(new_server(flags=["--sigfox-speed", str(SPEED), "--sigfox-allow", "127.0.0.1:{}".format(server.port("api"))]).start())
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = "http://127.0.0.1:{}/".format(closed.getsockname()[1])
    for url, info in (
        (nobody, "Connection refused"),
        ("http://no-such-host.invalid/", "DNS: "),
        ("https://localhost:{}/".format(server.port("api")), "TLS: unknown authority"),
        ("http://169.254.169.254/latest/meta-data/", "Address refused: 169.254.169.254:80: clouds tell secrets there"),
        ("http://[::ffff:169.254.169.254]/", "Address refused: 169.254.169.254:80: clouds tell secrets there"),
        ("http://0.0.0.0:{}/".format(sigfox._server.port("api")), "Address refused: 0.0.0.0:"),
    ):
        callback = sigfox.callback(channel="URL", url=url, httpMethod="GET", sendSni=True)
        sigfox.uplink()
        message = sigfox.settled()
        latest = message["results"][0]["latest"]
        assert message["arrow"] == "red" and latest["status"] == 0 and latest["info"].startswith(info) and latest["remedy"], (url, latest)
        sigfox.delete_callback(callback)
