"""kill -9 under load, at random moments, with a ledger on the clients' side: whatever was acknowledged comes, in the order
of its publisher; what comes twice is counted, and bounded.

Rounds and seed are THINGWIRE_CRASH_ROUNDS and THINGWIRE_CRASH_SEED; a failure names the seed.
"""

import collections
import os
import random
import re
import threading

from harness.paho import V3, V5, Client

ROUNDS = int(os.environ.get("THINGWIRE_CRASH_ROUNDS", "25"))
SEED = int(os.environ.get("THINGWIRE_CRASH_SEED", random.randrange(1 << 32)))
TOPICS = {"crash/3/a": V3, "crash/3/b": V3, "crash/5/a": V5, "crash/5/b": V5}
WINDOW = 20  # unacknowledged messages of a publisher, as many as paho sends
RECEIVE_MAXIMUM = 50  # unacknowledged messages to the subscriber who is there
# What a client acknowledged is forgotten on disk within 100 ms or 1,000 messages (DESIGN section 6): this much more may come
# again after a kill.
ACKNOWLEDGED = 1000
WAIT = 60


class Publisher:
    """Publishes the numbers from 0 on to its topic, as a device does: what was not acknowledged is sent again after it has
    come back, in order."""

    def __init__(self, topic, progress):
        self.topic, self._progress = topic, progress
        self.acknowledged = 0  # numbers below are
        self.sent = 0  # numbers below were sent, at least once
        self.again = 0  # how many of them twice or more
        self.wrong = None

    def connect(self, server, thing):
        self._client = client = Client.open(server, thing, self.topic.replace("/", "-"), TOPICS[self.topic])
        client.client.on_publish = self._on_publish
        self._quit, self._first = False, self.acknowledged
        self.again += self.sent - self.acknowledged
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _on_publish(self, _client, _userdata, mid, code, _properties):
        """paho counts packet ids from 1 on. It calls this under the lock that publish takes."""
        with self._progress:
            if code.value != 0 or self._first + mid - 1 != self.acknowledged:
                self.wrong = "instead of an answer to number {} came one to {}: {}".format(self.acknowledged, self._first + mid - 1, code)
            self.acknowledged += 1
            self._progress.notify_all()

    def _run(self):
        number = self._first
        while True:
            with self._progress:
                self._progress.wait_for(lambda: number - self.acknowledged < WINDOW or self._over())
                if self._over():
                    return
                self.sent = max(self.sent, number + 1)
            self._client.client.publish(self.topic, str(number), 1)
            number += 1

    def _over(self):
        return self._quit or self.wrong or self._client.closed.is_set()

    def killed(self):
        assert self._client.closed.wait(WAIT)
        self._end()

    def finish(self):
        """Sends no more, and waits for the last answer."""
        self._end()
        with self._progress:
            assert self._progress.wait_for(lambda: self.acknowledged == self.sent or self.wrong, WAIT)
        self._client.disconnect()

    def _end(self):
        with self._progress:
            self._quit = True
            self._progress.notify_all()
        self._thread.join(WAIT)
        assert not self._thread.is_alive()
        assert not self.wrong, self.wrong


class Reader:
    """A persistent session, and all that it ever got, by topic."""

    def __init__(self, server, thing, client_id):
        self._client_id, self._news = client_id, threading.Condition()
        self.got = {topic: [] for topic in TOPICS}
        self.connect(server, thing, present=False)
        assert self._client.subscribe("crash/#") == [1]
        self.disconnect()

    def connect(self, server, thing, present=True):
        session = {"clean": False, "SessionExpiryInterval": 3600, "ReceiveMaximum": RECEIVE_MAXIMUM}
        self._client = Client.open(server, thing, self._client_id, V5, inbox=self, **session)
        assert self._client.session_present == present

    def put(self, message):
        with self._news:
            self.got[message.topic].append(int(message.payload))
            self._news.notify_all()

    def wait_for(self, publishers):
        """Waits for the last number that each publisher knows to be taken."""
        with self._news:
            came = self._news.wait_for(lambda: all(self._has(p) for p in publishers), WAIT)
        assert came, "of what was acknowledged up to {} there came {}".format(
            {p.topic: p.acknowledged for p in publishers}, {t: (len(g), g[-5:]) for t, g in self.got.items()}
        )

    def _has(self, publisher):
        """Whether the last number that is acknowledged is among the newest."""
        return publisher.acknowledged == 0 or publisher.acknowledged - 1 in self.got[publisher.topic][-500:]

    def killed(self):
        assert self._client.closed.wait(WAIT)
        self._client.client.loop_stop()

    def disconnect(self):
        self._client.disconnect()

    def audit(self, publishers, kills):
        """Nothing is missing, everything is in order but for what comes again after a kill; returns how much did."""
        twice = 0
        for p in publishers:
            numbers = self.got[p.topic]
            highest, last, jumps = -1, -1, 0
            for n in numbers:
                assert n <= highest + 1, "{}: {} came after {}: something is lost or out of order".format(self._client_id, n, highest)
                jumps += n != last + 1
                highest, last = max(highest, n), n
            assert highest + 1 == p.acknowledged, "{}: the last on {} is {} of {}".format(self._client_id, p.topic, highest, p.acknowledged)
            # Two for each kill: what its client had not acknowledged, or not long ago, and what its publisher sends again.
            assert jumps <= 2 * kills, "{}: {} jumps on {} after {} kills".format(self._client_id, jumps, p.topic, kills)
            twice += len(numbers) - (highest + 1)
        bound = sum(p.again for p in publishers) + kills * (RECEIVE_MAXIMUM + ACKNOWLEDGED)
        assert twice <= bound, "{}: {} messages came again, at most {} may".format(self._client_id, twice, bound)
        return twice


def crash(server, chance):
    """kill -9, and now and then once more while the server starts again."""
    server.kill()
    kills = 1
    while chance.random() < 0.2:
        server.die_starting(chance.uniform(0, 0.3))
        kills += 1
    server.start()
    return kills


def test_crash_loses_nothing_that_was_acknowledged(new_server):
    chance = random.Random(SEED)
    print("THINGWIRE_CRASH_SEED={}".format(SEED))
    server = new_server().start()
    thing = server.create_thing("crash")
    progress = threading.Condition()
    publishers = [Publisher(topic, progress) for topic in TOPICS]
    there, away = Reader(server, thing, "there"), Reader(server, thing, "away")
    count = collections.Counter()
    for _ in range(ROUNDS):
        there.connect(server, thing)
        for p in publishers:
            p.connect(server, thing)
        enough = sum(p.acknowledged for p in publishers) + chance.randrange(1, 400)
        with progress:
            assert progress.wait_for(lambda: sum(p.acknowledged for p in publishers) >= enough, WAIT)
        count["kills"] += crash(server, chance)
        for client in (*publishers, there):
            client.killed()
        if chance.random() < 0.3:
            away.connect(server, thing)
            away.wait_for(publishers)
            away.disconnect()
    # Everybody comes back once more, and everything is there.
    for p in publishers:
        p.connect(server, thing)
    for p in publishers:
        p.finish()
    for reader in (there, away):
        reader.connect(server, thing)
        reader.wait_for(publishers)
        count[reader] = reader.audit(publishers, count["kills"])
        reader.disconnect()
    print("{} kills: {} acknowledged, none lost; {} published again, {} and {} delivered again".format(
        count["kills"], sum(p.acknowledged for p in publishers), sum(p.again for p in publishers), count[there], count[away]
    ))  # fmt: skip
    assert not [line for line in server.process.lines + server.logs if re.search("panic|DATA RACE", line)]
    server.stop()
