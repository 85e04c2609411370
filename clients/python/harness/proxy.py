"""What stands between a client and the server: a network cable that a test can cut, and an HTTP proxy."""

import shutil
import socket
import threading

from .server import Process


class Cable:
    """Forwards 127.0.0.1:port to a target. While cut, connections break without a goodbye of TLS or MQTT, and new
    ones end at once."""

    def __init__(self, target):
        self.target = target
        self.connections = 0  # ever let through
        self._lock = threading.Lock()
        self._pairs = set()
        self._cut = False
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def _spawn(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._cut:
                    _break(client)
                    continue
                try:
                    upstream = socket.create_connection(self.target, timeout=5)
                except OSError:
                    _break(client)
                    continue
                upstream.settimeout(None)
                pair = (client, upstream)
                self._pairs.add(pair)
                self.connections += 1
            self._spawn(self._pump, client, upstream, pair)
            self._spawn(self._pump, upstream, client, pair)

    def _pump(self, source, sink, pair):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
            return
        except OSError:
            pass
        with self._lock:
            if pair in self._pairs:
                self._pairs.discard(pair)
                _break(*pair)

    def cut(self):
        """Breaks every connection at once and lets no new one through."""
        with self._lock:
            self._cut = True
            for pair in self._pairs:
                _break(*pair)
            self._pairs.clear()

    def plug_in(self):
        with self._lock:
            self._cut = False

    def close(self):
        # shutdown wakes the thread that waits in accept; close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _break(*sockets):
    for s in sockets:
        try:
            s.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it; close alone does not
        except OSError:
            pass
        s.close()


class Tinyproxy:
    """Debian's tinyproxy on this machine's loopback, which tunnels by CONNECT to any port and says so in its log."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = folder / "tinyproxy.conf"
        config.write_text("Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Info\n".format(self.port))
        self._process = Process([shutil.which("tinyproxy"), "-d", "-c", config], cwd=folder)
        try:
            self._process.wait_for_line(lambda line: "Accepting connections" in line)
        except BaseException:
            self.close()
            raise

    @property
    def seen(self):
        """How many lines of the log there are: what a test expects comes after it."""
        return len(self._process.lines)

    def wait_for_tunnel(self, target, after=0):
        """Waits until somebody has asked for a tunnel to host:port."""
        return self._process.wait_for_line(lambda line: "CONNECT {} ".format(target) in line, after=after)

    def close(self):
        self._process.kill()
