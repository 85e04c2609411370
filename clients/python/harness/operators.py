"""Who operates a control plane: boto3 and the aws command, of today and of Debian 12, behind one way to call an operation."""

import contextlib
import json
import re

from botocore.exceptions import ClientError

from . import aws


class Refused(Exception):
    """An operation that was refused: the name of the error, and the message."""

    def __init__(self, name, message):
        super().__init__("{}: {}".format(name, message))
        self.name, self.message = name, message


class Boto3:
    """boto3 of the virtual environment."""

    def __init__(self, server):
        self._client = aws.client(server, "iot")

    def call(self, operation, **params):
        try:
            return getattr(self._client, operation)(**params)
        except ClientError as e:
            raise Refused(e.response["Error"]["Code"], e.response["Error"]["Message"]) from None

    def close(self):
        self._client.close()


class OldBoto3:
    """Debian's boto3, one process for all calls."""

    def __init__(self, server):
        self._process = aws.OldBoto3(server).start()

    def call(self, operation, **params):
        self._process.stdin.write(json.dumps(["iot", operation, params]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return answer

    def close(self):
        self._process.stdin.close()
        assert self._process.wait(aws.TIMEOUT) == 0
        self._process.stdout.close()


class Command:
    """The aws command, a process for each call. It takes parameters under the API's own names, and a page at a time."""

    def __init__(self, server, path=None):
        self._cli = aws.CLI(server, path)

    def call(self, operation, **params):
        argv = ["iot", operation.replace("_", "-"), "--cli-input-json", json.dumps(params), "--no-paginate", "--output", "json"]
        done = self._cli.run(*argv, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout or "{}")
        assert done.returncode == self._cli.refused, done.stderr
        raise Refused(*re.search(r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)", done.stderr).groups())

    def close(self):
        pass


OPERATORS = {
    "boto3": Boto3,
    "boto3 of Debian": OldBoto3,
    "aws": Command,
    "aws of Debian": lambda server: Command(server, aws.OLD_CLI),
}


@contextlib.contextmanager
def refusal(name, words=""):
    """A block that must be refused under that name, with a message that has the words."""
    try:
        yield
    except Refused as e:
        assert e.name == name and words in e.message, e
    else:
        raise AssertionError("nothing was refused with " + name)
