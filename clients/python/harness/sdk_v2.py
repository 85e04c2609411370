"""The two MQTT clients of the AWS IoT Device SDK v2, set up as its users do."""

import threading

from awscrt import mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder

from .server import ENDPOINT, Inbox

WAIT = 20


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
        self.client = mqtt5_client_builder.mtls_from_path(
            endpoint=ENDPOINT, port=port, cert_filepath=thing.cert, pri_key_filepath=thing.key, ca_filepath=thing.ca,
            client_id=client_id,
            on_publish_received=lambda data: self.inbox.put(data.publish_packet),
            on_lifecycle_connection_success=self._on_success,
            on_lifecycle_connection_failure=self._on_failure,
            on_lifecycle_disconnection=self._on_disconnection,
            on_lifecycle_stopped=lambda _: self.stopped.set(),
            **kwargs,
        )  # fmt: skip
        self.client.start()

    def _on_success(self, data):
        self.connack, self.settings = data.connack_packet, data.negotiated_settings
        self.connected.set()

    def _on_failure(self, data):
        self.failure = data
        self.failed.set()

    def _on_disconnection(self, data):
        self.disconnect = data.disconnect_packet
        self.lost.set()

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
