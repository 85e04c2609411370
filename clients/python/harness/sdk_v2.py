"""The two MQTT clients of the AWS IoT Device SDK v2, set up as its users do."""

import threading

from awscrt import auth, http, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder

from .aws import REGION
from .server import ENDPOINT, Inbox

WAIT = 20


def credentials(keys):
    return auth.AwsCredentialsProvider.new_static(keys.id, keys.secret, keys.token)


def proxy_options(proxy):
    """A proxy is a port of this machine."""
    return http.HttpProxyOptions(host_name="127.0.0.1", port=proxy) if proxy else None


def websocket_311(server, keys, client_id, port=None, proxy=None, **kwargs):
    """A connection over WebSocket. Without a port the SDK goes to 443."""
    return mqtt_connection_builder.websockets_with_default_aws_signing(
        endpoint=ENDPOINT, port=port, region=REGION, credentials_provider=credentials(keys), ca_filepath=server.ca,
        websocket_proxy_options=proxy_options(proxy), client_id=client_id, keep_alive_secs=30, **kwargs,
    )  # fmt: skip


def connection_311(thing, client_id, port=None, **kwargs):
    return mqtt_connection_builder.mtls_from_path(
        endpoint=ENDPOINT, port=port, cert_filepath=thing.cert, pri_key_filepath=thing.key, ca_filepath=thing.ca,
        client_id=client_id, keep_alive_secs=30, **kwargs,
    )  # fmt: skip


class Client5:
    """The SDK's MQTT 5 client with its events made waitable."""

    def __init__(self, thing, client_id, port=None, **kwargs):
        self.inbox = Inbox()
        self.connected, self.stopped, self.failed, self.lost = (threading.Event() for _ in range(4))
        self.connack = self.failure = self.disconnect = None
        self.on_lost = None  # called when the connection is lost
        self.client = self._build(
            thing, endpoint=ENDPOINT, port=port, client_id=client_id,
            on_publish_received=lambda data: self.inbox.put(data.publish_packet),
            on_lifecycle_connection_success=self._on_success,
            on_lifecycle_connection_failure=self._on_failure,
            on_lifecycle_disconnection=self._on_disconnection,
            on_lifecycle_stopped=lambda _: self.stopped.set(),
            **kwargs,
        )  # fmt: skip
        self.client.start()

    def _build(self, thing, **kwargs):
        return mqtt5_client_builder.mtls_from_path(
            cert_filepath=thing.cert, pri_key_filepath=thing.key, ca_filepath=thing.ca, **kwargs
        )

    def _on_success(self, data):
        self.connack, self.settings = data.connack_packet, data.negotiated_settings
        self.connected.set()

    def _on_failure(self, data):
        self.failure = data
        self.failed.set()

    def _on_disconnection(self, data):
        self.disconnect = data.disconnect_packet
        self.lost.set()
        if self.on_lost:
            self.on_lost()

    def subscribe(self, *filters, qos=mqtt5.QoS.AT_LEAST_ONCE):
        packet = mqtt5.SubscribePacket([mqtt5.Subscription(f, qos) for f in filters])
        return self.client.subscribe(packet).result(WAIT).reason_codes

    def publish(self, topic, payload, qos=mqtt5.QoS.AT_LEAST_ONCE, **kwargs):
        packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=qos, **kwargs)
        return self.client.publish(packet).result(WAIT).puback

    def __enter__(self):
        assert self.connected.wait(WAIT), "not connected: {}".format(self.failure)
        return self

    def __exit__(self, *_):
        self.client.stop()
        assert self.stopped.wait(WAIT)


class WebSocket5(Client5):
    """The same over WebSocket, for an access key or a session."""

    def __init__(self, server, keys, client_id, port=None, proxy=None, **kwargs):
        self._server, self._proxy = server, proxy
        super().__init__(keys, client_id, port, **kwargs)

    def _build(self, keys, **kwargs):
        return mqtt5_client_builder.websockets_with_default_aws_signing(
            region=REGION, credentials_provider=credentials(keys), ca_filepath=self._server.ca,
            http_proxy_options=proxy_options(self._proxy), **kwargs,
        )  # fmt: skip
