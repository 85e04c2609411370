"""MQTT 3.1.1 and 5 by hand, for tests that look at single packets: what a library would hide or refuse to send."""

import dataclasses
import socket
import ssl
import struct

V3, V5 = 4, 5

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = 10, 11, 12, 13, 14, 15

# Identifier of a property: how its value is written.
PROPERTY_KINDS = {
    0x01: "byte", 0x02: "four", 0x03: "text", 0x08: "text", 0x09: "bytes", 0x0B: "varint", 0x11: "four", 0x12: "text",
    0x13: "two", 0x15: "text", 0x16: "bytes", 0x17: "byte", 0x18: "four", 0x19: "byte", 0x1A: "text", 0x1C: "text",
    0x1F: "text", 0x21: "two", 0x22: "two", 0x23: "two", 0x24: "byte", 0x25: "byte", 0x26: "pair", 0x27: "four",
    0x28: "byte", 0x29: "byte", 0x2A: "byte",
}  # fmt: skip
REASON_STRING, SESSION_EXPIRY, RECEIVE_MAXIMUM = 0x1F, 0x11, 0x21
MAXIMUM_QOS, RETAIN_AVAILABLE, MAXIMUM_PACKET_SIZE, SERVER_KEEP_ALIVE, TOPIC_ALIAS_MAXIMUM = 0x24, 0x25, 0x27, 0x13, 0x22


class Closed(Exception):
    """The server ended the connection where a packet was expected."""


@dataclasses.dataclass
class Packet:
    type: int
    flags: int
    body: bytes
    version: int

    def _properties_at(self, at):
        length, at = varint_from(self.body, at)
        return properties_from(self.body[at : at + length]), at + length

    @property
    def session_present(self):
        return bool(self.body[0] & 1)

    @property
    def code(self):
        """The reason or return code of CONNACK, PUBACK and DISCONNECT."""
        if self.type == CONNACK:
            return self.body[1]
        if self.type == PUBACK:
            return self.body[2] if len(self.body) > 2 else 0
        return self.body[0] if self.body else 0

    @property
    def properties(self):
        """The properties of CONNACK, PUBACK, SUBACK and DISCONNECT on MQTT 5: identifier to value."""
        if self.version != V5:
            return {}
        at = {CONNACK: 2, PUBACK: 3, SUBACK: 2, UNSUBACK: 2, DISCONNECT: 1}[self.type]
        return self._properties_at(at)[0] if len(self.body) > at else {}

    @property
    def packet_id(self):
        return struct.unpack_from(">H", self.body)[0]

    @property
    def codes(self):
        """The reason codes of SUBACK and UNSUBACK."""
        at = self._properties_at(2)[1] if self.version == V5 else 2
        return list(self.body[at:])

    def publish(self):
        """(topic, payload, packet id or None, properties) of a PUBLISH."""
        (size,) = struct.unpack_from(">H", self.body)
        topic, at, pid, properties = self.body[2 : 2 + size].decode(), 2 + size, None, {}
        if self.flags & 0x06:
            (pid,) = struct.unpack_from(">H", self.body, at)
            at += 2
        if self.version == V5:
            properties, at = self._properties_at(at)
        return topic, self.body[at:], pid, properties


def varint(n):
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


def varint_from(data, at):
    n, shift = 0, 0
    while True:
        digit = data[at]
        at += 1
        n |= (digit & 0x7F) << shift
        if not digit & 0x80:
            return n, at
        shift += 7


def text(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">H", len(data)) + data


def properties(values):
    """The wire form of {identifier: value}, with its length in front; a list of values repeats the property."""
    out = b""
    for key, value in (values or {}).items():
        for one in value if isinstance(value, list) else [value]:
            out += bytes([key]) + {
                "byte": lambda v: bytes([v]),
                "two": lambda v: struct.pack(">H", v),
                "four": lambda v: struct.pack(">I", v),
                "varint": varint,
                "text": text,
                "bytes": text,
                "pair": lambda v: text(v[0]) + text(v[1]),
            }[PROPERTY_KINDS[key]](one)
    return varint(len(out)) + out


def properties_from(data):
    out, at = {}, 0

    def take_text():
        nonlocal at
        (size,) = struct.unpack_from(">H", data, at)
        at += 2 + size
        return data[at - size : at]

    while at < len(data):
        key = data[at]
        at += 1
        kind = PROPERTY_KINDS[key]
        if kind == "byte":
            value, at = data[at], at + 1
        elif kind == "two":
            value, at = struct.unpack_from(">H", data, at)[0], at + 2
        elif kind == "four":
            value, at = struct.unpack_from(">I", data, at)[0], at + 4
        elif kind == "varint":
            value, at = varint_from(data, at)
        elif kind == "pair":
            out.setdefault(key, []).append((take_text().decode(), take_text().decode()))
            continue
        else:
            value = take_text().decode() if kind == "text" else take_text()
        assert key not in out, "property 0x{:02x} came twice".format(key)
        out[key] = value
    return out


def packet(kind, body, flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def connect_packet(client_id, version=V3, clean=True, keep_alive=60, props=None, username=None, will=None):
    flags = 0x02 if clean else 0
    tail = text(client_id)
    if will:
        topic, payload, qos = will
        flags |= 0x04 | qos << 3
        tail += (properties({}) if version == V5 else b"") + text(topic) + text(payload)
    if username is not None:
        flags |= 0x80
        tail += text(username)
    head = text("MQTT") + bytes([version, flags]) + struct.pack(">H", keep_alive)
    return packet(CONNECT, head + (properties(props) if version == V5 else b"") + tail)


def publish_packet(topic, payload=b"", qos=0, pid=1, version=V3, retain=False, props=None):
    body = text(topic) + (struct.pack(">H", pid) if qos else b"")
    if version == V5:
        body += properties(props)
    return packet(PUBLISH, body + payload, qos << 1 | int(retain))


def subscribe_packet(filters, pid=1, version=V3, qos=1):
    body = struct.pack(">H", pid) + (properties({}) if version == V5 else b"")
    for f in filters:
        body += text(f) + bytes([qos])
    return packet(SUBSCRIBE, body, 0x02)


def tls_context(thing=None, ca=None, alpn=None, verify=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        context.load_verify_locations(ca or thing.ca)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if thing is not None:
        context.load_cert_chain(thing.cert, thing.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def dial(address, context, server_name="localhost", timeout=10):
    raw = socket.create_connection(address, timeout=timeout)
    try:
        return context.wrap_socket(raw, server_hostname=server_name)
    except BaseException:
        raw.close()
        raise


class Client:
    """One MQTT connection; every call sends or reads exactly what it says."""

    def __init__(self, sock, version=V3):
        self.sock, self.version = sock, version
        self._data = b""
        self._pid = 0

    @classmethod
    def open(cls, address, thing, client_id, version=V3, **connect):
        """Connects with the thing's certificate and expects to be accepted."""
        client = cls(dial(address, tls_context(thing)), version)
        client.connack = client.connect(client_id, **connect)
        assert client.connack.type == CONNACK and client.connack.code == 0, client.connack
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Drops the connection as a dead device does: no DISCONNECT, no close_notify."""
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def read(self, timeout=10):
        """The next packet; Closed when the server ended the connection instead."""
        self.sock.settimeout(timeout)
        while True:
            got = self._split()
            if got:
                return got
            try:
                more = self.sock.recv(65536)
            except TimeoutError:
                raise AssertionError("no packet and no close within {}s".format(timeout)) from None
            except OSError as e:  # a reset, or the TLS alert of a refused certificate
                raise Closed(str(e)) from None
            if not more:
                raise Closed("end of stream")
            self._data += more

    def _split(self):
        if len(self._data) < 2:
            return None
        for i in range(1, min(5, len(self._data))):
            if not self._data[i] & 0x80:
                size, at = varint_from(self._data, 1)
                if len(self._data) < at + size:
                    return None
                first, body = self._data[0], self._data[at : at + size]
                self._data = self._data[at + size :]
                return Packet(first >> 4, first & 0x0F, body, self.version)
        return None

    def expect(self, kind, timeout=10):
        got = self.read(timeout)
        assert got.type == kind, "wanted packet type {}, got {}".format(kind, got)
        return got

    def expect_closed(self, timeout=10):
        """Expects the end of the connection with no packet before it."""
        try:
            got = self.read(timeout)
        except Closed:
            return
        raise AssertionError("wanted a close, got {}".format(got))

    def expect_alive(self):
        """A PINGREQ that is answered: the connection stayed open and nothing came in between."""
        self.send(packet(PINGREQ, b""))
        self.expect(PINGRESP)

    def connect(self, client_id, **kwargs):
        self.send(connect_packet(client_id, version=self.version, **kwargs))
        return self.read()

    def next_pid(self):
        self._pid = self._pid % 0xFFFF + 1
        return self._pid

    def subscribe(self, *filters, qos=1):
        """Subscribes and returns the SUBACK's codes."""
        self.send(subscribe_packet(filters, self.next_pid(), self.version, qos))
        return self.expect(SUBACK).codes

    def publish(self, topic, payload=b"", qos=0, **kwargs):
        """Sends a PUBLISH and returns its packet id."""
        pid = self.next_pid()
        self.send(publish_packet(topic, payload, qos, pid, self.version, **kwargs))
        return pid

    def puback(self, pid):
        self.send(packet(PUBACK, struct.pack(">H", pid)))

    def disconnect(self):
        self.send(packet(DISCONNECT, b""))
        self.sock.close()
