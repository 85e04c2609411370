"""AWS's own tools for Python and for the command line, of today and of Debian 12, set up as their users do."""

import base64
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import boto3
from botocore.config import Config

from .keys import Keys
from .server import policy

REGION = "us-east-1"
OLD_PYTHON = "/usr/bin/python3"  # has Debian's boto3
OLD_CLI = "/usr/bin/aws"  # Debian's, of 2022
OLD_CALLS = pathlib.Path(__file__).parent.parent / "old" / "boto3_calls.py"
TIMEOUT = 60


def bare_environment(home):
    """An environment in which AWS's tools find nothing of this machine's: no keys, no endpoints, no authorities."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@functools.cache
def _session():
    return boto3.session.Session()


def client(server, service, keys=None, listener="api", **config):
    """boto3's client of a service. It tries once unless told otherwise, so that a test sees the first answer."""
    keys = keys or server.keys
    config.setdefault("retries", {"total_max_attempts": 1})
    return _session().client(
        service, region_name=REGION, endpoint_url=server.url(listener), verify=server.ca, config=Config(**config),
        aws_access_key_id=keys.id, aws_secret_access_key=keys.secret, aws_session_token=keys.token,
    )  # fmt: skip


def create_user(server, name, *statements):
    """An IAM user who may do what the statements say, and an access key of theirs."""
    iam = client(server, "iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy(*statements)))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(key["AccessKeyId"], key["SecretAccessKey"])


def new_cli():
    """The aws of the virtual environment that this runs in."""
    return str(pathlib.Path(sys.executable).parent / "aws")


class CLI:
    """The aws command. Debian's is of before AWS_ENDPOINT_URL and takes blobs as base64 unless told otherwise."""

    def __init__(self, server, path=None, keys=None, listener="api"):
        self.path = path or new_cli()
        self.old = self.path == OLD_CLI
        self.refused = 254 if self.old else 255  # how it ends when the service refuses: version 2 and version 1 differ
        self._server, self._keys, self._listener = server, keys or server.keys, listener

    def run(self, *args, check=True):
        """Runs one command and returns the finished process; what it prints is text."""
        env = {**bare_environment(self._server.folder), **self._keys.environment(), "AWS_DEFAULT_REGION": REGION}
        env["AWS_CA_BUNDLE"] = self._server.ca
        argv = [self.path, *map(str, args), "--endpoint-url", self._server.url(self._listener)]
        if self.old:
            argv += ["--cli-binary-format", "raw-in-base64-out"]
        done = subprocess.run(argv, env=env, cwd=self._server.folder, capture_output=True, text=True, timeout=TIMEOUT)
        if check:
            assert done.returncode == 0, "{} ended with {}:\n{}{}".format(argv, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *args):
        return json.loads(self.run(*args, "--output", "json").stdout)

    def publish(self, **params):
        """Publish with boto3's parameters; the payload goes through a file, as bytes have to."""
        payload = params.pop("payload", b"")
        with tempfile.NamedTemporaryFile(dir=self._server.folder) as file:
            file.write(payload)
            file.flush()
            args = ["--payload", "fileb://" + file.name] if payload else []
            for name, value in params.items():
                flag = "--" + "".join("-" + c.lower() if c.isupper() else c for c in name)
                if isinstance(value, bool):
                    args.append(flag if value else "--no-" + flag[2:])
                else:
                    args += [flag, json.dumps(value) if isinstance(value, list) else value]
            self.run("iot-data", "publish", *args)


class OldBoto3:
    """Debian's boto3 in a Python of its own, which has never heard of the virtual environment's."""

    def __init__(self, server, keys=None, listener="api"):
        keys = keys or server.keys
        self._order = {
            "endpoint_url": server.url(listener), "verify": server.ca, "region_name": REGION,
            "aws_access_key_id": keys.id, "aws_secret_access_key": keys.secret, "aws_session_token": keys.token,
        }  # fmt: skip
        self._env = bare_environment(server.folder)

    def calls(self, *calls):
        """Makes (service, operation, params) calls in a row, and returns for each the answer, or the class, code, status,
        message and request id of its exception."""
        lines = [self._order, *([service, operation, _wrap(params)] for service, operation, params in calls)]
        done = subprocess.run(
            [OLD_PYTHON, OLD_CALLS], input="".join(json.dumps(line) + "\n" for line in lines), env=self._env,
            capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self):
        """The process for call, which ends when its stdin is closed."""
        process = subprocess.Popen([OLD_PYTHON, OLD_CALLS], env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps(self._order) + "\n")
        return process

    def publish(self, **params):
        (answer,) = self.calls(("iot-data", "publish", params))
        assert "error" not in answer, answer


def _wrap(params):
    """Bytes do not travel in JSON."""
    return {k: {"base64": base64.b64encode(v).decode()} if isinstance(v, bytes) else v for k, v in params.items()}


class NewBoto3:
    """boto3 as OldBoto3 is used."""

    def __init__(self, server):
        self.publish = client(server, "iot-data").publish


PUBLISHERS = {
    "boto3": NewBoto3,
    "boto3 of Debian": OldBoto3,
    "aws": CLI,
    "aws of Debian": lambda server: CLI(server, OLD_CLI),
}
assert shutil.which(OLD_CLI) and shutil.which(new_cli()), "run tools/setup"
