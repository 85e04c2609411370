"""A receiver of Sigfox callbacks that is none of ours: Python's own HTTP server, which remembers what came and answers as a
test says."""

import http.server
import threading


class Receiver:
    def __init__(self, answer=lambda request: (200, b"")):
        """answer is called with each request (method, path, headers, body) and gives status and body."""
        self.answer = answer
        self.requests = []
        self._news = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = Request(self.command, self.path, dict(self.headers), body)
                with receiver._news:
                    receiver.requests.append(request)
                    receiver._news.notify_all()
                    status, answer = receiver.answer(request)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = _serve

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, request, client_address):
                """A sender that was killed resets its connection."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = "http://127.0.0.1:{}/".format(self._server.server_port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def wait(self, enough, timeout=60):
        """Waits until enough(requests) holds, and returns the requests."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self.requests), timeout), "of the requests came {}: {}".format(
                len(self.requests), self.requests[-3:]
            )
            return list(self.requests)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body

    def __repr__(self):
        return "{} {} {!r}".format(self.method, self.path, self.body)
