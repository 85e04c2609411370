"""Eclipse's paho-mqtt with its callbacks made waitable."""

import threading

from paho.mqtt import client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from .server import ENDPOINT, Inbox

V3, V5 = mqtt.MQTTv311, mqtt.MQTTv5
WAIT = 20

__all__ = ["PASSED_ON", "V3", "V5", "WAIT", "Client", "SubscribeOptions", "Will", "props"]

# Everything of a PUBLISH or a will that the broker passes on, in paho's names.
PASSED_ON = {
    "PayloadFormatIndicator": 1,
    "ContentType": "application/json",
    "ResponseTopic": "paho/answers",
    "CorrelationData": b"\x00\x01\xff",
    "UserProperty": [("a", "1"), ("b", "2"), ("a", "3")],
}


def props(packet, **values):
    """paho's Properties of a packet, by its name in PacketTypes."""
    out = Properties(getattr(PacketTypes, packet))
    for name, value in values.items():
        setattr(out, name, value)
    return out


class Will:
    def __init__(self, topic, payload="gone", qos=1, retain=False, **values):
        self.topic, self.payload, self.qos, self.retain, self.values = topic, payload, qos, retain, values


class Client:
    """One connection; paho would come back by itself, this one does not."""

    transport, listener = "tcp", "mqtts"

    def __init__(self, server, thing, client_id, version=V3, clean=True, keepalive=60, will=None, inbox=None, **connect):
        self.version = version
        self.inbox = Inbox() if inbox is None else inbox
        self.connected, self.closed = threading.Event(), threading.Event()
        self.connack = self.end = None  # (code, properties); (code, properties, whether the server said DISCONNECT)
        self._answers, self._news = {}, threading.Condition()
        session = {"clean_session": clean} if version == V3 else {}
        self.client = c = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=version, transport=self.transport,
            reconnect_on_failure=False, **session,
        )  # fmt: skip
        self._introduce(server, thing)
        c.on_connect, c.on_disconnect, c.on_connect_fail = self._on_connect, self._on_disconnect, lambda *_: self.closed.set()
        c.on_message = lambda _client, _userdata, message: self.inbox.put(message)
        c.on_subscribe = lambda _c, _u, mid, codes, properties: self._answer(mid, [code.value for code in codes], properties)
        c.on_unsubscribe = c.on_subscribe
        c.on_publish = lambda _c, _u, mid, code, properties: self._answer(mid, code.value, properties)
        if will:
            properties = props("WILLMESSAGE", **will.values) if version == V5 else None
            c.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        if version == V5:
            connect = {"clean_start": clean, "properties": props("CONNECT", **connect)}
        c.connect(ENDPOINT, server.port(self.listener), keepalive, **connect)
        c.loop_start()

    def _introduce(self, server, thing):
        """Says who the client is."""
        self.client.tls_set(thing.ca, thing.cert, thing.key)

    @classmethod
    def open(cls, *args, **kwargs):
        """A client that is connected."""
        client = cls(*args, **kwargs)
        assert client.connected.wait(WAIT), "not connected: {}".format(client.connack)
        assert client.connack[0] == 0, client.connack
        return client

    def _on_connect(self, _client, _userdata, flags, code, properties):
        self.session_present = flags.session_present
        self.connack = (code.value, properties)
        self.connected.set()

    def _on_disconnect(self, _client, _userdata, flags, code, properties):
        self.end = (code.value, properties, flags.is_disconnect_packet_from_server)
        self.closed.set()

    def _answer(self, mid, codes, properties):
        with self._news:
            self._answers[mid] = (codes, properties)
            self._news.notify_all()

    def answer(self, mid):
        """(codes, properties) of the acknowledgement of a packet id."""
        with self._news:
            assert self._news.wait_for(lambda: mid in self._answers, WAIT), "no answer to packet {}".format(mid)
            return self._answers.pop(mid)

    def send_subscribe(self, *filters, qos=1, options=None):
        """Returns the packet id, without waiting for the answer."""
        if self.version == V5:
            return self.client.subscribe([(f, options or SubscribeOptions(qos)) for f in filters])[1]
        return self.client.subscribe([(f, qos) for f in filters])[1]

    def subscribe(self, *filters, **kwargs):
        """The codes of the SUBACK."""
        return self.answer(self.send_subscribe(*filters, **kwargs))[0]

    def unsubscribe(self, *filters):
        return self.answer(self.client.unsubscribe(list(filters))[1])[0]

    def send(self, topic, payload="", qos=1, retain=False, **values):
        """Sends a PUBLISH and returns its packet id, without waiting for the answer."""
        properties = props("PUBLISH", **values) if self.version == V5 else None
        return self.client.publish(topic, payload, qos, retain, properties).mid

    def publish(self, topic, payload="", qos=1, retain=False, **values):
        """The code and the properties of the PUBACK; for QoS 0 as soon as it is sent."""
        return self.answer(self.send(topic, payload, qos, retain, **values))

    def texts(self, count):
        """The payloads of the first so many messages."""
        return [m.payload.decode() for m in self.inbox.wait(count)[:count]]

    def drop(self):
        """Breaks the connection as a dead device does: no DISCONNECT."""
        self.client.socket().close()
        self.client.loop_stop()

    def disconnect(self, code=None, **values):
        from paho.mqtt.reasoncodes import ReasonCode

        if self.version == V5 and (code or values):
            self.client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=code or 0), props("DISCONNECT", **values))
        else:
            self.client.disconnect()
        assert self.closed.wait(WAIT)
        self.client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


class WebSocketClient(Client):
    """MQTT over WebSocket, for whom the URL speaks: path and query, as somebody has signed them."""

    transport, listener = "websockets", "api"

    def _introduce(self, server, url):
        self.client.tls_set(server.ca)
        self.client.ws_set_options(path=url)
