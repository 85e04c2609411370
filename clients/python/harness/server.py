"""A real `thingwire serve` on a data directory of its own, and what a test asks of it from outside."""

import collections
import configparser
import dataclasses
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import urllib.parse

from .keys import Keys

BINARY = os.environ.get("THINGWIRE", "thingwire")
ENDPOINT = "localhost"  # a name of the server's certificate
LISTENERS = {
    "mqtts": "127.0.0.1:0",
    "https": "127.0.0.1:0",
    "api": "127.0.0.1:0",
    "console": "127.0.0.1:0",
    # The SDKs set ALPN only when the port's number is 443 (client-side behaviour), so this one has to be the real one.
    "shared": "127.0.0.1:443",
}


@dataclasses.dataclass(frozen=True)
class Thing:
    """A thing with its files, as `thingwire thing create` leaves them."""

    name: str
    cert: str
    key: str
    ca: str

    @property
    def certificate_id(self):
        """The lower-case hexadecimal SHA-256 of the certificate, as AWS makes it."""
        import hashlib
        import ssl

        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pathlib.Path(self.cert).read_text())).hexdigest()


class Process:
    """A child process whose lines are read as they come, so that a test can wait for one of them."""

    def __init__(self, argv, on_line=None, **kwargs):
        self.argv = [str(a) for a in argv]
        self._on_line = on_line
        self.lines = []
        self._news = threading.Condition()
        self._ended = False
        kwargs.setdefault("stderr", subprocess.STDOUT)
        self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, bufsize=1, **kwargs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
            if self._on_line:
                self._on_line(self.lines[-1])
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for_line(self, matches, timeout=20, after=0):
        """Waits for a line that matches, behind the first `after` lines, and returns it."""

        def look():
            return next((line for line in self.lines[after:] if matches(line)), None)

        with self._news:
            self._news.wait_for(lambda: look() is not None or self._ended, timeout)
            line = look()
        if line is None:
            raise AssertionError("no such line within {}s from {}; it printed:\n{}".format(timeout, self.argv, self.output()))
        return line

    def finish(self, timeout=30):
        """Waits for the end of the process and of its output, and returns the exit code."""
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("{} did not end within {}s; it printed:\n{}".format(self.argv, timeout, self.output())) from None
        self._reader.join(timeout)
        return code

    def output(self):
        return "\n".join(self.lines)

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        self._reader.join(5)


class Server:
    """One data directory and the server that runs on it."""

    def __init__(self, folder, listeners=None, flags=(), env=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.listeners = {**LISTENERS, **(listeners or {})}
        self.flags = list(flags)
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.logs = []

    def _launch(self):
        argv = [BINARY, "serve", "--data-dir", self.data]
        for name, address in self.listeners.items():
            argv += ["--listen-" + name, address]
        self.process = Process(argv + self.flags, cwd=self.folder, env=self.env)

    def die_starting(self, after):
        """A start that is killed after so many seconds, however far it has come."""
        self._launch()
        try:
            self.process.child.wait(after)
            raise AssertionError("the server ended by itself:\n" + self.process.output())
        except subprocess.TimeoutExpired:
            self.kill()

    def start(self):
        self._launch()
        try:
            self.process.wait_for_line(lambda line: line.startswith("ready"), timeout=60)
            self.endpoints = json.loads((self.data / "endpoints.json").read_text())
        except BaseException:
            self.process.kill()
            raise
        return self

    def stop(self, timeout=20):
        """Asks the server to stop and expects it to do so in order."""
        self.process.child.send_signal(signal.SIGTERM)
        code = self.process.finish(timeout)
        self.logs.append(self.process.output())
        assert code == 0, "serve ended with {} after SIGTERM:\n{}".format(code, self.process.output())

    def kill(self):
        """kill -9: what a power cut leaves of a process."""
        self.process.kill()
        self.logs.append(self.process.output())

    def address(self, listener):
        """(host, port) of a listener."""
        host, port = self.endpoints[listener].rsplit(":", 1)
        return host, int(port)

    def port(self, listener):
        return self.address(listener)[1]

    def url(self, listener="api"):
        """What a client of AWS's takes for an endpoint."""
        return "https://{}:{}".format(ENDPOINT, self.port(listener))

    @property
    def ca(self):
        """The file that clients of this server trust."""
        return str(self.data / "ca.pem")

    @property
    def keys(self):
        """The access key of the first start, which may do everything."""
        file = configparser.ConfigParser()
        file.read(self.data / "credentials")
        profile = file["thingwire"]
        return Keys(profile["aws_access_key_id"], profile["aws_secret_access_key"])

    def run(self, *args, timeout=30, check=True):
        """Runs a verb of the command line against this server and returns the finished process."""
        process = Process([BINARY, *args, "--data-dir", self.data], cwd=self.folder)
        code = process.finish(timeout)
        if check and code != 0:
            raise AssertionError("{} ended with {}:\n{}".format(process.argv, code, process.output()))
        return process

    def create_thing(self, name, policy=None):
        """A thing with certificate and policy; policy is a built-in name, a document, or None for the default."""
        out = self.folder / "things"
        out.mkdir(exist_ok=True)
        args = ["thing", "create", name, "--out", out]
        if isinstance(policy, dict):
            file = out / (name + ".policy.json")
            file.write_text(json.dumps(policy))
            policy = file
        if policy is not None:
            args += ["--policy", policy]
        self.run(*args)
        return Thing(name, str(out / (name + ".cert.pem")), str(out / (name + ".private.key")), str(out / "root-CA.pem"))

    def admin(self, method, path, body=None, headers=None, expect=200):
        """One call of the AWS-shaped control plane through the administration socket."""
        connection = _UnixHTTP(self.data / "admin.sock")
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        assert response.status == expect, "{} {} answered {}: {}".format(method, path, response.status, text)
        return json.loads(text) if text else {}

    def set_certificate_status(self, thing, status):
        self.admin("PUT", "/certificates/{}?newStatus={}".format(thing.certificate_id, status))

    def register_certificate(self, pem, policy):
        """Registers a foreign certificate without a CA as active, with a policy, and returns its ARN."""
        arn = self.admin("POST", "/certificate/register-no-ca", {"certificatePem": pem, "status": "ACTIVE"})["certificateArn"]
        self.admin("PUT", "/target-policies/" + urllib.parse.quote(policy, safe=""), {"target": arn})
        return arn

    def create_policy(self, name, document):
        self.admin("POST", "/policies/" + urllib.parse.quote(name, safe=""), {"policyDocument": json.dumps(document)})


class _UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Inbox:
    """Messages as they arrive, for callbacks of every client; a test waits for what it expects."""

    def __init__(self):
        self._news = threading.Condition()
        self.messages = collections.deque()

    def put(self, message):
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def wait(self, count, timeout=20):
        """Waits until at least `count` messages are there and returns all that are."""
        with self._news:
            self._news.wait_for(lambda: len(self.messages) >= count, timeout)
            got = list(self.messages)
        assert len(got) >= count, "{} of {} messages within {}s: {}".format(len(got), count, timeout, got[-5:])
        return got


def statement(effect, actions, resources):
    return {"Effect": effect, "Action": actions, "Resource": resources}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def arn(resource, account="000000000000", region="us-east-1"):
    return "arn:aws:iot:{}:{}:{}".format(region, account, resource)
