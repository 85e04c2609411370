"""kill -9 under load: whatever was acknowledged is there afterwards, in order."""

import os
import re
import threading

from harness import rawmqtt

ROUNDS = int(os.environ.get("THINGWIRE_CRASH_ROUNDS", "2"))
WINDOW = 50


class Publisher:
    """Publishes numbered QoS 1 messages with a window, and knows the last acknowledged number of its topic."""

    def __init__(self, server, thing, topic, first):
        self.topic, self.acknowledged, self.next = topic, first - 1, first
        self._client = rawmqtt.Client.open(server.address("mqtts"), thing, topic.replace("/", "-"), rawmqtt.V3)
        self._progress = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        in_flight = {}
        try:
            while True:
                batch = b""
                while len(in_flight) < WINDOW:
                    pid = self._client.next_pid()
                    in_flight[pid] = self.next
                    batch += rawmqtt.publish_packet(self.topic, str(self.next).encode(), 1, pid)
                    self.next += 1
                self._client.send(batch)
                number = in_flight.pop(self._client.expect(rawmqtt.PUBACK).packet_id)
                with self._progress:
                    assert number == self.acknowledged + 1, "acknowledged out of order"
                    self.acknowledged = number
                    self._progress.notify_all()
        except (OSError, rawmqtt.Closed):
            return  # the kill

    def wait_for(self, number):
        with self._progress:
            assert self._progress.wait_for(lambda: self.acknowledged >= number, 60)

    def join(self):
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._client.close()


def drain(server, thing, client_id, topics, until):
    """Reads the session until each topic reached the number that until names; returns the numbers per topic."""
    got = {topic: [] for topic in topics}
    with rawmqtt.Client.open(server.address("mqtts"), thing, client_id, clean=False) as client:
        assert client.connack.session_present
        while any(not got[t] or got[t][-1] < until[t] for t in topics):
            topic, payload, pid, _ = client.expect(rawmqtt.PUBLISH, 30).publish()
            got[topic].append(int(payload))
            client.puback(pid)
        client.disconnect()
    return got


def test_crash_loses_nothing_that_was_acknowledged(new_server):
    server = new_server().start()
    thing = server.create_thing("crash")
    topics = ["crash/{}".format(n) for n in range(4)]
    with rawmqtt.Client.open(server.address("mqtts"), thing, "offline", clean=False) as client:
        assert client.subscribe("crash/#") == [1]
        client.disconnect()
    first = dict.fromkeys(topics, 0)
    for _ in range(ROUNDS):
        publishers = [Publisher(server, thing, t, first[t]) for t in topics]
        for p in publishers:
            p.wait_for(first[p.topic] + 500)
        server.kill()
        for p in publishers:
            p.join()
        server.start()
        acknowledged = {p.topic: p.acknowledged for p in publishers}
        got = drain(server, thing, "offline", topics, acknowledged)
        for p in publishers:
            numbers = got[p.topic]
            # QoS 1 may bring what the drain of the round before had acknowledged just before its end.
            fresh = [n for n in numbers if n >= first[p.topic]]
            complete = range(first[p.topic], p.acknowledged + 1)
            assert fresh[: len(complete)] == list(complete), "lost or out of order on " + p.topic
            first[p.topic] = p.next
    assert not [line for line in server.process.lines if re.search("panic|DATA RACE", line)]
    server.stop()
