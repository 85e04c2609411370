"""The program of the AWS tutorial "Connect a device to AWS IoT Core by using the AWS IoT Device SDK".

The SDK no longer ships samples/pubsub.py; this follows the steps and prints the lines that the tutorial shows, with the
changes of its exercises behind --exercise: 2 evaluates the topic, 3 sends the message as it is.
"""

import argparse
import sys
import threading
import time
import uuid

from awscrt import auth, http, io, mqtt
from awsiot import mqtt_connection_builder

parser = argparse.ArgumentParser()
parser.add_argument("--endpoint", required=True)
parser.add_argument("--port", type=int)
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--root-ca")
parser.add_argument("--client-id", default="test-" + str(uuid.uuid4()))
parser.add_argument("--topic", default="test/topic")
parser.add_argument("--message", default="Hello World!")
parser.add_argument("--count", default=10, type=int)
parser.add_argument("--use-websocket", action="store_true")
parser.add_argument("--signing-region", default="us-east-1")
parser.add_argument("--proxy-host")
parser.add_argument("--proxy-port", type=int, default=8080)
parser.add_argument("--exercise", default=1, type=int, choices=[1, 2, 3])
args = parser.parse_args()

received_count = 0
received_all_event = threading.Event()


def on_connection_interrupted(connection, error, **kwargs):
    print("Connection interrupted. error: {}".format(error))


def on_connection_resumed(connection, return_code, session_present, **kwargs):
    print("Connection resumed. return_code: {} session_present: {}".format(return_code, session_present))
    if return_code == mqtt.ConnectReturnCode.ACCEPTED and not session_present:
        print("Session did not persist. Resubscribing to existing topics...")
        connection.resubscribe_existing_topics()[0].add_done_callback(on_resubscribe_complete)


def on_resubscribe_complete(future):
    results = future.result()
    print("Resubscribe results: {}".format(results))
    for topic, qos in results["topics"]:
        if qos is None:
            sys.exit("Server rejected resubscribe to topic: {}".format(topic))


def evaluate(topic, payload):
    """The code that exercise 2 inserts."""
    topic_parsed = False
    if "/" in topic:
        parsed_topic = topic.split("/")
        if len(parsed_topic) == 3:
            # this topic has the correct format
            if (parsed_topic[0] == "device") and (parsed_topic[2] == "details"):
                # this is a topic we care about, so check the 2nd element
                if parsed_topic[1] == "temp":
                    print("Received temperature request: {}".format(payload))
                    topic_parsed = True
                if parsed_topic[1] == "light":
                    print("Received light request: {}".format(payload))
                    topic_parsed = True
    if not topic_parsed:
        print("Unrecognized message topic.")


def on_message_received(topic, payload, **kwargs):
    print("Received message from topic '{}': {}".format(topic, payload))
    if args.exercise == 2:
        evaluate(topic, payload)
    global received_count
    received_count += 1
    if received_count == args.count:
        received_all_event.set()


sys.stdout.reconfigure(line_buffering=True)
event_loop_group = io.EventLoopGroup(1)
host_resolver = io.DefaultHostResolver(event_loop_group)
client_bootstrap = io.ClientBootstrap(event_loop_group, host_resolver)

if args.use_websocket:
    proxy_options = None
    if args.proxy_host:
        proxy_options = http.HttpProxyOptions(host_name=args.proxy_host, port=args.proxy_port)
    credentials_provider = auth.AwsCredentialsProvider.new_default_chain(client_bootstrap)
    mqtt_connection = mqtt_connection_builder.websockets_with_default_aws_signing(
        endpoint=args.endpoint,
        client_bootstrap=client_bootstrap,
        region=args.signing_region,
        credentials_provider=credentials_provider,
        websocket_proxy_options=proxy_options,
        ca_filepath=args.root_ca,
        on_connection_interrupted=on_connection_interrupted,
        on_connection_resumed=on_connection_resumed,
        client_id=args.client_id,
        clean_session=False,
        keep_alive_secs=6,
    )
else:
    mqtt_connection = mqtt_connection_builder.mtls_from_path(
        endpoint=args.endpoint,
        port=args.port,
        cert_filepath=args.cert,
        pri_key_filepath=args.key,
        client_bootstrap=client_bootstrap,
        ca_filepath=args.root_ca,
        on_connection_interrupted=on_connection_interrupted,
        on_connection_resumed=on_connection_resumed,
        client_id=args.client_id,
        clean_session=False,
        keep_alive_secs=6,
    )

print("Connecting to {} with client ID '{}'...".format(args.endpoint, args.client_id))
mqtt_connection.connect().result()
print("Connected!")

print("Subscribing to topic '{}'...".format(args.topic))
subscribe_future, packet_id = mqtt_connection.subscribe(
    topic=args.topic, qos=mqtt.QoS.AT_LEAST_ONCE, callback=on_message_received
)
subscribe_result = subscribe_future.result()
# The tutorial prints str(qos), which Python 3.11 made "1".
print("Subscribed with QoS.{}".format(subscribe_result["qos"].name))

if args.message:
    if args.count == 0:
        print("Sending messages until program killed")
    else:
        print("Sending {} message(s)".format(args.count))

    publish_count = 1
    while (publish_count <= args.count) or (args.count == 0):
        message = args.message if args.exercise == 3 else "{} [{}]".format(args.message, publish_count)
        print("Publishing message to topic '{}': {}".format(args.topic, message))
        mqtt_connection.publish(topic=args.topic, payload=message, qos=mqtt.QoS.AT_LEAST_ONCE)
        time.sleep(1)
        publish_count += 1

if args.count != 0 and not received_all_event.is_set():
    print("Waiting for all messages to be received...")

received_all_event.wait()
print("{} message(s) received.".format(received_count))

print("Disconnecting...")
mqtt_connection.disconnect().result()
print("Disconnected!")
