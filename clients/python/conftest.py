import itertools
import os
import pathlib
import signal
import socket
import threading

import pytest
from harness import mosquitto, rawmqtt
from harness.journal import Journal
from harness.proxy import Cable
from harness.server import BINARY, Server


@pytest.fixture(scope="session", autouse=True)
def port_443_is_ours():
    """Fails early and in words where the tests cannot have the port that the SDKs insist on."""
    try:
        socket.create_server(("127.0.0.1", 443)).close()
    except OSError as e:
        pytest.exit("127.0.0.1:443 cannot be bound ({}): run as root, or where `unshare --net` is allowed".format(e), 1)
    if not os.access(BINARY, os.X_OK):
        pytest.exit("{} is not there: make build".format(BINARY), 1)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    """A test that was skipped proved nothing: skipping is failing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and (reporter.stats.get("skipped") or reporter.stats.get("xfailed")) and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for the tests of a file."""
    server = Server(tmp_path_factory.mktemp("thingwire")).start()
    yield server
    if server.process.child.poll() is None:
        server.stop()
    else:
        pytest.fail("the server ended by itself with {}:\n{}".format(server.process.child.returncode, server.process.output()))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its server said."""
    report = (yield).get_result()
    fixtures = getattr(item, "funcargs", {})
    servers = getattr(fixtures.get("new_server"), "made", []) + [fixtures.get("server")]
    for server in servers:
        if report.failed and server is not None and server.process is not None:
            report.sections.append(("thingwire serve", "\n".join(server.process.lines[-60:])))


@pytest.fixture
def new_server(tmp_path):
    """Makes servers of a test's own, and ends them with the test."""

    def make(**kwargs):
        folder = pathlib.Path(tmp_path) / "server-{}".format(len(make.made))
        folder.mkdir()
        # 443 belongs to the module's server.
        listeners = {"shared": "off", **kwargs.pop("listeners", {})}
        make.made.append(Server(folder, listeners=listeners, **kwargs))
        return make.made[-1]

    make.made = []
    yield make
    for server in make.made:
        if server.process is not None:
            server.process.kill()


@pytest.fixture(scope="session")
def unique():
    """Names that no other test uses: client ids, things, topics."""
    numbers = itertools.count(1)
    return lambda prefix: "{}-{}".format(prefix, next(numbers))


@pytest.fixture(scope="module")
def thing(server, unique):
    """A thing that may do everything."""
    return server.create_thing(unique("thing"))


@pytest.fixture
def cable(server):
    """A cuttable connection to the server's mqtts listener."""
    with Cable(server.address("mqtts")) as cable:
        yield cable


@pytest.fixture(scope="session")
def silent(tmp_path_factory):
    """mosquitto_sub of both versions, stopped in its tracks, and the journal of their server: 45 seconds later their
    keep-alive is over."""
    server = Server(tmp_path_factory.mktemp("silent"), listeners={"shared": "off"}).start()
    thing, clients = server.create_thing("silent"), []
    for version in ("311", "5"):
        client = mosquitto.subscribe(server, thing, "silence", "-k", "30", "-V", version, client_id="silent-" + version)
        client.child.send_signal(signal.SIGSTOP)
        clients.append(client)
    journal = Journal(server)
    yield journal
    journal.close()
    for client in clients:
        client.kill()
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def silent_from_the_start(request, port_443_is_ours):
    """The keep-alive runs while other tests do."""
    if any("silent" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("silent")


class Bystander:
    """A healthy client that publishes to itself without a pause while something else goes wrong beside it."""

    def __init__(self, server, thing, client_id):
        self._client = rawmqtt.Client.open(server.address("mqtts"), thing, client_id, keep_alive=60)
        self._topic = "bystander/" + client_id
        assert self._client.subscribe(self._topic, qos=1) == [1]
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._rounds, self._error = 0, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._stop.is_set():
                self._round()
                with self._news:
                    self._rounds += 1
                    self._news.notify_all()
        except Exception as e:  # reported by unharmed
            with self._news:
                self._error = e
                self._news.notify_all()

    def _round(self):
        """One QoS 1 message out, acknowledged, back in and acknowledged: within five seconds whatever goes on."""
        pid = self._client.publish(self._topic, b"still here", qos=1)
        waiting = {rawmqtt.PUBACK, rawmqtt.PUBLISH}
        while waiting:
            got = self._client.read(timeout=5)
            waiting.remove(got.type)
            if got.type == rawmqtt.PUBLISH:
                self._client.puback(got.publish()[2])
            else:
                assert got.packet_id == pid

    def unharmed(self, rounds=20, timeout=20):
        """Expects that many more round trips on the same connection."""
        with self._news:
            want = self._rounds + rounds
            self._news.wait_for(lambda: self._rounds >= want or self._error, timeout)
            assert self._error is None, "the bystander's connection broke: {!r}".format(self._error)
            assert self._rounds >= want, "the bystander managed {} of {} round trips".format(self._rounds - want + rounds, rounds)

    def close(self):
        self._stop.set()
        self._thread.join(15)
        self._client.close()


@pytest.fixture
def bystander(server, thing, unique):
    bystander = Bystander(server, thing, unique("bystander"))
    bystander.unharmed(1)
    yield bystander
    bystander.unharmed()
    bystander.close()
