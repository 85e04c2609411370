"""`thingwire env`, `publish` and `key` as a user types them, and AWS's tools in the shell that they make."""

import base64
import json
import os
import subprocess

import pytest
from harness import aws
from harness.aws import Keys, new_cli
from harness.paho import V5, Client
from harness.server import BINARY, Process


@pytest.fixture
def reader(server, thing, unique):
    with Client.open(server, thing, unique("reader"), V5) as reader:
        yield reader


def shell(server, script, *path):
    """Runs a script as an interactive shell would: aliases count."""
    env = aws.bare_environment(server.folder)
    programs = server.folder / "bin"
    if not programs.exists():
        programs.mkdir()
        (programs / "thingwire").symlink_to(os.path.abspath(BINARY))
    env["PATH"] = os.pathsep.join([*path, str(programs), env["PATH"]])
    env["THINGWIRE_DATA_DIR"] = str(server.data)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        del env[name]  # a user has none of them set, and no ~/.aws
    text = "set -e\nshopt -s expand_aliases\n" + script
    done = subprocess.run(["bash", "-c", text], env=env, cwd=server.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_env(server, reader):
    """eval "$(thingwire env)", then what the manuals have, unchanged: aws of today, boto3 without an argument."""
    assert reader.subscribe("env/#") == [1]
    out = shell(
        server,
        """
        eval "$(thingwire env)"
        aws iot-data publish --topic env/cli --qos 1 --payload '{"a":1}'
        aws sts get-caller-identity --query Arn --output text
        python -c 'import boto3; boto3.client("iot-data").publish(topic="env/boto3", qos=1, payload=b"x")'
        thingwire publish --topic env/thingwire --message 'and ours' --qos 1
        """,
        os.path.dirname(new_cli()),
    )
    assert "arn:aws:iam::000000000000:user/thingwire" in out
    got = [(m.topic, m.payload) for m in reader.inbox.wait(3)]
    assert got == [("env/cli", b'{"a":1}'), ("env/boto3", b"x"), ("env/thingwire", b"and ours")]


def test_env_for_a_command_line_of_before_endpoint_urls(server, reader):
    """Debian's aws obeys no AWS_ENDPOINT_URL: the alias says it."""
    assert reader.subscribe("env/#") == [1]
    shell(
        server,
        """
        eval "$(thingwire env)"
        aws iot-data publish --topic env/old --qos 1 --cli-binary-format raw-in-base64-out --payload '{"old":1}'
        """,
        "/usr/bin",
    )
    assert reader.inbox.wait(1)[0].payload == b'{"old":1}'


def test_env_for_programs(server):
    told = json.loads(server.run("env", "--output", "json").output())
    assert told["AWS_ENDPOINT_URL"] == server.url() and told["AWS_ACCESS_KEY_ID"] == server.keys.id
    assert told["AWS_SECRET_ACCESS_KEY"] == server.keys.secret and told["AWS_CA_BUNDLE"] == server.ca


def test_publish_with_every_parameter(server, reader, tmp_path):
    assert reader.subscribe("verb/every one") == [1]
    file = tmp_path / "payload"
    file.write_bytes(bytes(range(256)))
    server.run(
        "publish", "--topic", "verb/every one", "--file", file, "--qos", "1", "--retain", "--content-type", "text/plain",
        "--response-topic", "verb/answers", "--correlation-data", base64.b64encode(b"\x00corr").decode(),
        "--message-expiry", "600", "--payload-format-indicator", "UNSPECIFIED_BYTES",
        "--user-property", "a=1", "--user-property", "Größe=☃ = 2", "--user-property", "a=3",
    )  # fmt: skip
    (message,) = reader.inbox.wait(1)
    p = message.properties
    assert (message.payload, message.qos) == (bytes(range(256)), 1)
    assert (p.ContentType, p.ResponseTopic, p.CorrelationData) == ("text/plain", "verb/answers", b"\x00corr")
    assert p.UserProperty == [("a", "1"), ("Größe", "☃ = 2"), ("a", "3")] and p.MessageExpiryInterval > 500
    data = aws.client(server, "iot-data")
    assert data.get_retained_message(topic="verb/every one")["payload"] == bytes(range(256))
    server.run("publish", "--topic", "verb/every one", "--message", "", "--retain")
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_retained_message(topic="verb/every one")


def test_publish_from_stdin_to_a_server_elsewhere(server, reader):
    """With the AWS environment alone, as on another machine."""
    assert reader.subscribe("verb/stdin") == [1]
    env = {**aws.bare_environment(server.folder), **server.keys.environment()}
    env |= {"AWS_ENDPOINT_URL": server.url(), "AWS_REGION": aws.REGION, "AWS_CA_BUNDLE": server.ca}
    done = subprocess.run(
        [BINARY, "publish", "--topic", "verb/stdin", "--qos", "1"], input=b"\x00from stdin", env=env, cwd=server.folder,
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert reader.inbox.wait(1)[0].payload == b"\x00from stdin"


def test_publish_is_refused_in_one_line(server):
    for args, code in (
        (["--topic", "a/#", "--message", "x"], 1),
        (["--topic", "a", "--qos", "2", "--message", "x"], (1, 2)),
        ([], 2),
    ):
        process = server.run("publish", *args, check=False)
        assert process.child.returncode in (code if isinstance(code, tuple) else (code,)), process.output()
        assert len(process.lines) == 1, process.output()


def test_keys(server, unique, tmp_path):
    """A user with a policy, a key that is disabled, enabled and deleted; the secret is shown once."""
    user = unique("verb-user")
    document = tmp_path / "policy.json"
    document.write_text('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Publish","Resource":"*"}]}')
    made = json.loads(server.run("key", "create", "--user", user, "--policy", document, "--output", "json").output())
    keys = Keys(made["accessKeyId"], made["secretAccessKey"])
    data = aws.client(server, "iot-data", keys)
    data.publish(topic="verb/keys", payload=b"x")
    with pytest.raises(data.exceptions.ForbiddenException):
        data.list_retained_messages()
    listed = server.run("key", "list").output()
    assert keys.id in listed and user in listed and keys.secret not in listed
    for verb, works in (("disable", False), ("enable", True), ("delete", False)):
        server.run("key", verb, keys.id)
        if works:
            data.publish(topic="verb/keys", payload=b"x")
        else:
            with pytest.raises(data.exceptions.UnauthorizedException):
                data.publish(topic="verb/keys", payload=b"x")
    assert keys.id not in server.run("key", "list").output()
    assert server.run("key", "delete", keys.id, check=False).child.returncode == 1


def test_key_without_a_server():
    process = Process([BINARY, "key", "list", "--data-dir", "/nonexistent"])
    assert process.finish() == 1 and len(process.lines) == 1, process.output()
