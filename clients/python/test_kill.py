"""kill -9 in the middle of everything: what a persistent session is made of is there afterwards, seen through paho."""

import json

from harness.journal import Journal
from harness.paho import V3, V5, Client, Will

FOR_LONG = {"SessionExpiryInterval": 3600}


def holding(server, thing, client_id, version=V5, **kwargs):
    """A client with a persistent session that acknowledges nothing by itself."""
    session = FOR_LONG if version == V5 else {}
    client = Client.open(server, thing, client_id, version, clean=False, **session, **kwargs)
    client.client.manual_ack_set(True)
    return client


def back(server, thing, client_id, version=V5, present=True):
    """The client comes back; session present has to be what is expected."""
    session = FOR_LONG if version == V5 else {}
    client = Client.open(server, thing, client_id, version, clean=False, **session)
    assert client.session_present == present, client_id
    return client


def watch(server, thing, client_id):
    """A client that is told of one client id's connections."""
    client = Client.open(server, thing, "watch")
    assert client.subscribe("$aws/events/presence/connected/" + client_id) == [1]
    return client


def versions(client, count):
    return [json.loads(text)["versionNumber"] for text in client.texts(count)]



def test_kill_keeps_sessions_whole(new_server):
    server = new_server().start()
    thing = server.create_thing("thing")
    watcher = watch(server, thing, "a")

    # Two sessions of one client id: that of 3.1.1 is away, that of 5 is there, with a will that is to wait.
    with Client.open(server, thing, "a", V3, clean=False) as client:
        assert not client.session_present
        assert client.subscribe("three") == [1]
    a = holding(server, thing, "a", will=Will("wills/a", "a is gone", WillDelayInterval=1))
    assert not a.session_present
    assert a.subscribe("five", "wild/#") == [1, 1]
    assert versions(watcher, 2) == [0, 1]

    # One whose will waits already, and who comes back in time.
    b = holding(server, thing, "b", will=Will("wills/b", "b is gone", WillDelayInterval=600))
    b.drop()

    # A group of two that acknowledge nothing, one who inherits wills, and one whose session is short.
    m1, m2 = holding(server, thing, "m1"), holding(server, thing, "m2")
    for member in (m1, m2):
        assert member.subscribe("$share/g/work") == [1]
    with Client.open(server, thing, "heir", V5, clean=False, **FOR_LONG) as heir:
        assert heir.subscribe("wills/+") == [1]
    with Client.open(server, thing, "short", V5, clean=False, SessionExpiryInterval=1) as short:
        assert short.subscribe("five") == [1]

    work = ["w{}".format(n) for n in range(6)]
    with Client.open(server, thing, "publisher") as publisher:
        for topic, payload in [("five", "f1"), ("wild/x", "f2"), ("five", "f3"), ("three", "t1"), *(("work", w) for w in work)]:
            assert publisher.publish(topic, payload)[0] == 0
    assert a.texts(3) == ["f1", "f2", "f3"]
    assert m1.inbox.wait(1) and m2.inbox.wait(1), "one member got all of the work"

    server.kill()
    for client in (a, m1, m2, watcher):
        assert client.closed.wait(20)
        client.client.loop_stop()
    server.start()

    # The will of a, who was there when the server was killed, comes a second after the start: the short session is over.
    heir = back(server, thing, "heir")
    assert heir.texts(1) == ["a is gone"]
    back(server, thing, "short", present=False).disconnect()
    back(server, thing, "b").disconnect()

    # The subscriptions are there before their clients are.
    watcher = watch(server, thing, "a")
    with Client.open(server, thing, "publisher") as publisher:
        for topic, payload in [("wild/y", "f4"), ("three", "t2"), ("work", "w6"), ("wills/last", "the last one")]:
            assert publisher.publish(topic, payload)[0] == 0
    a3 = back(server, thing, "a", V3)
    assert a3.texts(2) == ["t1", "t2"]
    a3.disconnect()
    a5 = back(server, thing, "a")
    assert a5.texts(4) == ["f1", "f2", "f3", "f4"]
    assert versions(watcher, 2) == [2, 3]

    # Leases of members who are gone go to the one who is there; the other one is a member still.
    m1 = back(server, thing, "m1")
    assert m1.texts(7) == [*work, "w6"]
    m2 = back(server, thing, "m2")
    with Client.open(server, thing, "publisher") as publisher:
        for n in range(20):
            assert publisher.publish("work", "x{}".format(n))[0] == 0
    assert m2.inbox.wait(1) and len(m1.inbox.wait(8)) > 7, "one member got all of the work"

    # b came back in time: its will is void.
    assert heir.texts(2) == ["a is gone", "the last one"]

    journal = Journal(server)
    journal.told("a", eventType="Disconnect", disconnectReason="CONNECTION_LOST").explains("the server ended without notice", "kill -9")
    journal.close()
    for client in (a5, m1, m2, heir, watcher):
        client.disconnect()
    server.stop()
