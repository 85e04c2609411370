"""A device program on the AWS IoT Device SDK v2: a persistent session of MQTT 3.1.1 on one topic, each payload a line.

Started as a process of its own, so that it can be killed as a device loses its power:

    python -m harness.sdk_reader PORT CERT KEY CA CLIENT_ID TOPIC COUNT
"""

import queue
import sys

from awscrt import mqtt

from .sdk_v2 import WAIT, connection_311
from .server import Thing


def main(port, cert, key, ca, client_id, topic, count):
    messages = queue.Queue()
    connection = connection_311(Thing(client_id, cert, key, ca), client_id, int(port), clean_session=False)
    # Before the connection: stored messages come right behind CONNACK.
    connection.on_message(lambda **message: messages.put(message["payload"].decode()))
    present = connection.connect().result(WAIT)["session_present"]
    print("session present: {}".format(present), flush=True)
    if not present:
        connection.subscribe(topic, mqtt.QoS.AT_LEAST_ONCE)[0].result(WAIT)
        print("subscribed", flush=True)
    for _ in range(int(count)):
        print(messages.get(timeout=60), flush=True)
    connection.disconnect().result(WAIT)
    print("extra: {}".format(messages.qsize()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
