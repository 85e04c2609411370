"""A server that writes down what it is sent, and botocore's own code as the judge of its signatures."""

import dataclasses
import http.server
import re
import threading

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request as it came over the wire: the path is as it was sent."""

    method: str
    path: str
    headers: dict  # names in lower case
    body: bytes

    def signature(self):
        """The parts of its Authorization header."""
        found = _AUTHORIZATION.fullmatch(self.headers["authorization"])
        assert found, self.headers["authorization"]
        return found.groupdict()

    def verify(self, secret, token=None):
        """Lets botocore sign the same request and compares. It returns the service and the region it was signed for."""
        parts = self.signature()
        signed = parts["headers"].split(";")
        request = AWSRequest(
            method=self.method, url="http://" + self.headers["host"] + self.path, data=self.body,
            headers={name: self.headers[name] for name in signed},
        )  # fmt: skip
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = SigV4Auth(Credentials(parts["key"], secret, token), parts["service"], parts["region"])
        canonical = signer.canonical_request(request)
        want = signer.signature(signer.string_to_sign(request, canonical), request)
        assert parts["signature"] == want, "botocore signs otherwise:\n" + canonical
        assert {"host", "x-amz-date"} <= set(signed)
        if token is not None:
            assert self.headers["x-amz-security-token"] == token and "x-amz-security-token" in signed
        return parts["service"], parts["region"]


class Capture:
    """Answers each request by a function of it, (status, headers, body), and keeps it. Without one it answers 204."""

    def __init__(self, answer=None):
        self._answer = answer or (lambda request: (204, {}, b""))
        self._news = threading.Condition()
        self.requests = []
        capture = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                with capture._news:
                    capture.requests.append(request)
                    capture._news.notify_all()
                answer = capture._answer(request)
                if answer is None:  # says nothing, ever
                    self.close_connection = True
                    capture._closing.wait()
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = _any

            def log_message(self, *args):
                pass

        self._closing = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = "http://127.0.0.1:{}".format(self._server.server_address[1])

    def answer(self, function):
        """Changes what it answers from now on."""
        self._answer = function

    def wait(self, count, timeout=20):
        """Waits until at least `count` requests came and returns all that did."""
        with self._news:
            self._news.wait_for(lambda: len(self.requests) >= count, timeout)
            got = list(self.requests)
        assert len(got) >= count, "{} of {} requests within {}s: {}".format(len(got), count, timeout, got[-3:])
        return got

    def close(self):
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
