"""Bad input as a stranger on the network sends it: a clear close, and no effect on a healthy client beside it."""

import os
import socket
import ssl
import threading

import pytest
from cryptography import x509
from harness import rawmqtt
from harness.certificates import self_made
from harness.rawmqtt import V3, V5, Closed, properties, text, varint
from harness.server import policy, statement

VERSIONS = pytest.mark.parametrize("version", [V3, V5], ids=["v3", "v5"])
pytestmark = pytest.mark.usefixtures("bystander")


def connected(server, thing, unique, version):
    return rawmqtt.Client.open(server.address("mqtts"), thing, unique("bad"), version)


def expect_refused_certificate(server, one, listener="mqtts"):
    """No CONNACK. TLS 1.3 tells a client of its refused certificate only after its own handshake."""
    alpn = ["x-amzn-mqtt-ca"] if listener == "shared" else None
    try:
        sock = rawmqtt.dial(server.address(listener), rawmqtt.tls_context(one, alpn=alpn))
        client = rawmqtt.Client(sock, V5)
        client.send(rawmqtt.connect_packet("refused", V5))
    except OSError:  # refused within the handshake, or before CONNECT was written: as clear
        return
    client.expect_closed()
    client.close()


@pytest.mark.parametrize("listener", ["mqtts", "shared"])
class TestCertificates:
    def test_unknown(self, server, thing, tmp_path, listener):
        one, _ = self_made(tmp_path, thing.ca, -1, 365)
        expect_refused_certificate(server, one, listener)

    def test_known_and_self_made_is_welcome(self, server, thing, tmp_path, unique, listener):
        """The control of this class: the same certificate is accepted once it is registered."""
        one, pem = self_made(tmp_path, thing.ca, -1, 365)
        name = unique("everything")
        server.create_policy(name, policy(statement("Allow", "*", "*")))
        server.register_certificate(pem, name)
        alpn = ["x-amzn-mqtt-ca"] if listener == "shared" else None
        client = rawmqtt.Client(rawmqtt.dial(server.address(listener), rawmqtt.tls_context(one, alpn=alpn)), V5)
        assert client.connect(unique("self-made")).code == 0
        client.close()

    @pytest.mark.parametrize("begin, end", [(-30, -1), (1, 30)], ids=["expired", "not yet valid"])
    def test_out_of_time(self, server, thing, tmp_path, unique, listener, begin, end):
        """Registered and active, but not now."""
        one, pem = self_made(tmp_path, thing.ca, begin, end)
        name = unique("everything")
        server.create_policy(name, policy(statement("Allow", "*", "*")))
        server.register_certificate(pem, name)
        expect_refused_certificate(server, one, listener)

    @pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
    def test_not_active(self, server, unique, listener, status):
        one = server.create_thing(unique("inactive"))
        server.set_certificate_status(one, status)
        expect_refused_certificate(server, one, listener)

    def test_none_at_all(self, server, thing, listener):
        """mqtts requires a certificate; so does MQTT by ALPN x-amzn-mqtt-ca."""
        alpn = ["x-amzn-mqtt-ca"] if listener == "shared" else None
        try:
            sock = rawmqtt.dial(server.address(listener), rawmqtt.tls_context(ca=thing.ca, alpn=alpn))
            client = rawmqtt.Client(sock, V5)
            client.send(rawmqtt.connect_packet("nobody", V5))
        except OSError:
            return
        client.expect_closed()
        client.close()


def test_wrong_alpn_on_the_shared_port(server, thing):
    """No protocol in common ends the handshake with an alert."""
    with pytest.raises(OSError):
        sock = rawmqtt.dial(server.address("shared"), rawmqtt.tls_context(thing, alpn=["h2", "no-such-protocol"]))
        sock.recv(1)  # TLS 1.3 may tell only now
        raise AssertionError("the handshake succeeded with {}".format(sock.selected_alpn_protocol()))


def test_alpn_is_ignored_on_the_mqtt_port(server, thing, unique):
    sock = rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(thing, alpn=["no-such-protocol"]))
    client = rawmqtt.Client(sock, V5)
    assert client.connect(unique("alpn")).code == 0
    client.close()


def test_wrong_server_name_is_caught_by_the_client(server, thing):
    with pytest.raises(ssl.SSLCertVerificationError):
        rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(thing), server_name="not-this-server.example")


@pytest.mark.parametrize("name", ["not-this-server.example", None], ids=["unknown", "absent"])
def test_unknown_or_absent_server_name_gets_the_default_certificate(server, thing, unique, name):
    """Old SDKs send no SNI at all; what they get is the certificate of the endpoint."""
    context = rawmqtt.tls_context(thing, verify=False)
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), context, server_name=name), V5)
    der = client.sock.getpeercert(binary_form=True)
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "localhost" in names.value.get_values_for_type(x509.DNSName)
    assert client.connect(unique("sni")).code == 0
    client.close()


def test_session_tickets_are_off(server, thing):
    """A resumed session would show an old certificate."""
    context = rawmqtt.tls_context(thing)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sock = rawmqtt.dial(server.address("mqtts"), context)
    assert not (sock.session and sock.session.has_ticket)
    sock.close()


@pytest.mark.parametrize("version, accepted", [
    (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True),
], ids=["1.1", "1.2", "1.3"])  # fmt: skip
def test_tls_versions(server, thing, unique, version, accepted):
    context = rawmqtt.tls_context(thing)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    if not accepted:
        with pytest.raises(OSError):
            rawmqtt.dial(server.address("mqtts"), context)
        return
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), context))
    assert client.connect(unique("tls")).code == 0
    client.close()


def test_plain_text_on_the_mqtt_port(server):
    """MQTT and HTTP without TLS."""
    for greeting in (rawmqtt.connect_packet("plain"), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(server.address("mqtts"), timeout=10) as sock:
            sock.sendall(greeting)
            assert drained(sock)[:1] in (b"", b"\x15", b"H"), "an alert, a plain HTTP hint, or nothing; then the end"


def drained(sock):
    """What comes until the end of the connection."""
    got = b""
    try:
        while data := sock.recv(4096):
            got += data
    except TimeoutError:
        raise AssertionError("the server kept the connection open after {!r}".format(got)) from None
    except OSError:
        pass
    return got


def test_http_on_the_mqtt_port(server, thing):
    """Over TLS and with a good certificate it is still not MQTT."""
    sock = rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(thing))
    sock.sendall(b"POST /topics/a?qos=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
    assert not drained(sock).startswith(b"\x20")
    sock.close()


def test_mqtt_on_the_https_port(server, thing):
    """Without ALPN this port speaks HTTP."""
    sock = rawmqtt.dial(server.address("https"), rawmqtt.tls_context(thing))
    sock.sendall(rawmqtt.connect_packet("lost", V5))
    assert not drained(sock).startswith(b"\x20"), "a CONNACK"
    sock.close()


def test_half_open_sockets_cost_the_others_nothing(server, thing, bystander):
    """Connections that never say anything, or stop in the middle of TLS, CONNECT or a packet."""
    raw = [socket.create_connection(server.address("mqtts")) for _ in range(50)]
    for sock in raw[::2]:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # a ClientHello that ends early
    tls = [rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(thing)) for _ in range(10)]
    for sock in tls[::2]:
        sock.sendall(rawmqtt.connect_packet("half")[:7])
    bystander.unharmed(100)
    for sock in raw + tls:
        sock.close()


def raw_connect(protocol="MQTT", level=5, flags=0x02, keep_alive=60, tail=None, props=b"\x00"):
    body = text(protocol) + bytes([level, flags]) + keep_alive.to_bytes(2, "big")
    body += (props if level == 5 else b"") + (text("bad-connect") if tail is None else tail)
    return rawmqtt.packet(rawmqtt.CONNECT, body)


BAD_FIRST_PACKETS = {
    "random bytes": bytes.fromhex("d3a1f04c9b7e22ff") * 8,
    "a PUBLISH before CONNECT": rawmqtt.publish_packet("a", b"x"),
    "a PINGREQ before CONNECT": b"\xc0\x00",
    "packet type 0": b"\x00\x00",
    "flags of CONNECT set": b"\x11" + raw_connect()[1:],
    "a length of five bytes": b"\x10\xff\xff\xff\xff\x7f",
    "a length of 256 MB": b"\x10\xff\xff\xff\x7f" + b"x" * 100,
    "an empty CONNECT": b"\x10\x00",
    "an unknown protocol name": raw_connect("MQTX"),
    "protocol level 6": raw_connect(level=6),
    "protocol level 0": raw_connect(level=0),
    "the reserved flag": raw_connect(flags=0x03),
    "will QoS 3": raw_connect(flags=0x1E, tail=text("c") + b"\x00" + text("t") + text("p")),
    "will flags without a will": raw_connect(flags=0x2A),
    "a client id that ends early": raw_connect(tail=b"\x00\x40abc"),
    "bytes behind the end": raw_connect(tail=text("c") + b"rest"),
    "an unknown property": raw_connect(props=b"\x02\x7f\x01"),
    "a property of another packet": raw_connect(props=b"\x03\x23\x00\x01"),
    "a property twice": raw_connect(props=b"\x0a" + b"\x11\x00\x00\x00\x01" * 2),
    "Receive Maximum 0": raw_connect(props=b"\x03\x21\x00\x00"),
    "properties longer than the packet": raw_connect(props=b"\xff\x7f"),
    "a client id that is no UTF-8": raw_connect(tail=text(b"\xff\xfe\xc0")),
    "a client id with U+0000": raw_connect(tail=text("a\0b")),
    "a client id with a surrogate": raw_connect(tail=text(b"\xed\xa0\x80")),
    "password without user on 3.1.1": raw_connect(level=4, flags=0x42, tail=text("c") + text("p")),
}


@pytest.mark.parametrize("data", BAD_FIRST_PACKETS.values(), ids=BAD_FIRST_PACKETS.keys())
def test_bad_first_packet(server, thing, data):
    """No CONNACK of success, and the end."""
    client = rawmqtt.Client(rawmqtt.dial(server.address("mqtts"), rawmqtt.tls_context(thing)), V5)
    client.send(data)
    try:
        got = client.read()
    except Closed:
        return
    # A 3.1.1 CONNACK (level not supported) has no properties; its code is at the same place.
    assert got.type == rawmqtt.CONNACK and got.code != 0, got
    client.expect_closed()


def v5(body_of_publish, flags=0):
    return rawmqtt.packet(rawmqtt.PUBLISH, body_of_publish, flags)


# What each sends after CONNECT on MQTT 5, and the reason code of the DISCONNECT that answers.
BAD_PACKETS = {
    "QoS 3": (v5(text("t") + b"\x00\x01\x00x", 0x06), 0x81),
    "QoS 2": (v5(text("t") + b"\x00\x01\x00x", 0x04), 0x9B),
    "packet id 0": (rawmqtt.publish_packet("t", b"x", 1, 0, V5), 0x82),
    "an empty topic": (rawmqtt.publish_packet("", b"x", version=V5), 0x81),  # AWS; the standard says 0x82
    "a wildcard in the topic": (rawmqtt.publish_packet("a/+/b", b"x", version=V5), 0x90),
    "a topic with U+0000": (rawmqtt.publish_packet("a\0b", b"x", version=V5), 0x81),
    "a topic that is no UTF-8": (rawmqtt.publish_packet(b"\xc3\x28", b"x", version=V5), 0x81),
    "topic alias 0": (rawmqtt.publish_packet("a", b"x", version=V5, props={0x23: 0}), 0x94),
    "topic alias 9": (rawmqtt.publish_packet("a", b"x", version=V5, props={0x23: 9}), 0x94),
    "an alias that was never set": (rawmqtt.publish_packet("", b"x", version=V5, props={0x23: 1}), 0x82),
    "properties that end early": (v5(text("t") + b"\x05\x01"), 0x81),
    "a subscription identifier": (
        rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01" + properties({0x0B: 5}) + text("a") + b"\x01", 2), 0xA1),
    "SUBSCRIBE without a filter": (rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01\x00", 2), 0x82),
    "SUBSCRIBE that ends before its options": (rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01\x00" + text("a"), 2), 0x81),
    "SUBSCRIBE with wrong flags": (rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01\x00" + text("a") + b"\x01", 0), 0x81),
    "a second CONNECT": (rawmqtt.connect_packet("again", V5), 0x82),
    "a packet only servers send": (rawmqtt.packet(rawmqtt.PINGRESP, b""), 0x82),
    "AUTH without a method": (rawmqtt.packet(rawmqtt.AUTH, b""), 0x82),
    "a packet over 146 KB": (b"\x30" + varint(149_505) + text("big"), 0x95),
}  # fmt: skip


@pytest.mark.parametrize("data, code", BAD_PACKETS.values(), ids=BAD_PACKETS.keys())
def test_bad_packet_on_5(server, thing, unique, data, code):
    client = connected(server, thing, unique, V5)
    client.send(data)
    assert client.expect(rawmqtt.DISCONNECT).code == code
    client.expect_closed()


@pytest.mark.parametrize("name", [n for n in BAD_PACKETS if "alias" not in n and "identifier" not in n and "properties" not in n and "AUTH" not in n])
def test_bad_packet_on_311_just_closes(server, thing, unique, name):
    """The same in 3.1.1's form: there is no packet to say why."""
    in_v3 = {
        "QoS 3": v5(text("t") + b"\x00\x01x", 0x06),
        "QoS 2": v5(text("t") + b"\x00\x01x", 0x04),
        "packet id 0": rawmqtt.publish_packet("t", b"x", 1, 0),
        "an empty topic": rawmqtt.publish_packet("", b"x"),
        "a wildcard in the topic": rawmqtt.publish_packet("a/+/b", b"x"),
        "a topic with U+0000": rawmqtt.publish_packet("a\0b", b"x"),
        "a topic that is no UTF-8": rawmqtt.publish_packet(b"\xc3\x28", b"x"),
        "SUBSCRIBE without a filter": rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01", 2),
        "SUBSCRIBE that ends before its options": rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01" + text("a"), 2),
        "SUBSCRIBE with wrong flags": rawmqtt.packet(rawmqtt.SUBSCRIBE, b"\x00\x01" + text("a") + b"\x01", 0),
        "a second CONNECT": rawmqtt.connect_packet("again"),
    }.get(name, BAD_PACKETS[name][0])
    client = connected(server, thing, unique, V3)
    client.send(in_v3)
    client.expect_closed()


@VERSIONS
def test_the_largest_payload_passes_and_one_byte_more_does_not(server, thing, unique, version):
    topic = unique("bad/large")
    client = connected(server, thing, unique, version)
    client.publish(topic, bytes(128 * 1024), qos=1)
    assert client.expect(rawmqtt.PUBACK).code == 0
    client.publish(topic, bytes(128 * 1024 + 1), qos=1)
    if version == V5:
        assert client.expect(rawmqtt.DISCONNECT).code == 0x95
    client.expect_closed()


@pytest.mark.parametrize("topic, allowed", [
    ("a/b/c/d/e/f/g/h", True), ("a/b/c/d/e/f/g/h/i", False), ("t" * 256, True), ("t" * 257, False), ("$SYS/x", False),
], ids=["7 slashes", "8 slashes", "256 bytes", "257 bytes", "reserved"])  # fmt: skip
def test_topic_limits(server, thing, unique, topic, allowed):
    client = connected(server, thing, unique, V5)
    client.publish(topic, b"x", qos=1)
    got = client.read()
    if allowed:
        assert (got.type, got.code) == (rawmqtt.PUBACK, 0)
    else:
        assert got.type in (rawmqtt.PUBACK, rawmqtt.DISCONNECT) and got.code == 0x90
    client.close()


def test_more_in_flight_than_the_receive_maximum(server, thing, unique):
    """A flood of QoS 1 in one write: as fast as they are acknowledged they are no violation, else it ends with 0x93.

    A persistent subscriber makes each acknowledgement wait for the disk, so that more than 100 are open at once.
    """
    client = connected(server, thing, unique, V5)
    topic = unique("bad/inflight")
    keeper = rawmqtt.Client.open(server.address("mqtts"), thing, unique("keeper"), V3, clean=False)
    assert keeper.subscribe(topic) == [1]
    keeper.disconnect()
    client.send(b"".join(rawmqtt.publish_packet(topic, b"x", 1, pid, V5) for pid in range(1, 401)))
    acknowledged = []
    while len(acknowledged) < 400:
        got = client.read()
        if got.type == rawmqtt.DISCONNECT:
            assert got.code == 0x93
            client.expect_closed()
            break
        acknowledged.append(got.packet_id)
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    client.close()


def test_connect_flood(server, thing, bystander):
    """Hundreds of connections from eight sides at once: some go away at once, some say rubbish, some hang up in TLS."""
    errors = []

    def attack(kind):
        for n in range(60):
            try:
                with socket.create_connection(server.address("mqtts"), timeout=10) as sock:
                    if (n + kind) % 3 == 1:
                        sock.sendall(os.urandom(64))
                    elif (n + kind) % 3 == 2:
                        context = rawmqtt.tls_context(thing)
                        context.wrap_socket(sock, server_hostname="localhost").sendall(os.urandom(64))
            except OSError:
                pass  # refused is fine
            except Exception as e:  # anything else is a fault of this test
                errors.append(e)

    threads = [threading.Thread(target=attack, args=(kind,), daemon=True) for kind in range(8)]
    for thread in threads:
        thread.start()
    bystander.unharmed(20, timeout=60)
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert not errors
    with rawmqtt.Client.open(server.address("mqtts"), thing, "after-the-flood") as client:
        client.expect_alive()
