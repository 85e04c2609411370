// The two MQTT clients of the AWS IoT Device SDK v2 for JavaScript, set up as its users do, with events made waitable.

import sdk from 'aws-iot-device-sdk-v2';
import { REGION } from './aws.js';
import { ENDPOINT } from './server.js';
import { Inbox, Once } from './wait.js';

export const { auth, http, mqtt, mqtt5, iot } = sdk;

// A loser of its client id would come back at once and take over in turn. A long pause keeps it away; a 3.1.1 connection
// that waits so cannot be disconnected before, which is why the runner is told to exit all the same.
const PAUSE = 60_000;

function credentialsProvider({ accessKeyId, secretAccessKey, sessionToken }) {
  return auth.AwsCredentialsProvider.newStatic(accessKeyId, secretAccessKey, sessionToken);
}

/** Whoever has keys comes over WebSocket, a thing by its certificate. */
function builder5({ cert, key, keys, ca }) {
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const builder = keys
    ? Builder.newWebsocketMqttBuilderWithSigv4Auth(ENDPOINT, { region: REGION, credentialsProvider: credentialsProvider(keys) })
    : Builder.newDirectMqttBuilderWithMtlsFromPath(ENDPOINT, cert, key);
  builder.withCertificateAuthorityFromPath(undefined, ca);
  return builder;
}

function builder311({ cert, key, keys }) {
  const { AwsIotMqttConnectionConfigBuilder: Builder } = iot;
  if (!keys) return Builder.new_mtls_builder_from_path(cert, key);
  return Builder.new_with_websockets({ region: REGION, credentials_provider: credentialsProvider(keys) });
}

export class Client5 {
  /** Starts without waiting for what comes of it. Without a port the SDK goes to 8883; on 443 it offers ALPN. */
  constructor(thing, clientId, port, { connect = {}, configure = () => {} } = {}) {
    this.inbox = new Inbox();
    this.connected = new Once('connection');
    this.failed = new Once('refusal');
    this.lost = new Once('end of the connection');
    this.stopped = new Once('stop of the client');
    const builder = builder5(thing);
    builder.withConnectProperties({ clientId, keepAliveIntervalSeconds: 60, ...connect });
    builder.withMinReconnectDelayMs(PAUSE);
    builder.withMaxReconnectDelayMs(PAUSE);
    if (port) builder.withPort(port);
    configure(builder);
    this.client = new mqtt5.Mqtt5Client(builder.build());
    this.client.on('messageReceived', ({ message }) => this.inbox.put({ ...message, text: textOf(message.payload) }));
    this.client.on('connectionSuccess', (event) => this.connected.fire(event));
    this.client.on('connectionFailure', (event) => this.failed.fire(event));
    this.client.on('disconnection', (event) => this.lost.fire(event.disconnect));
    this.client.on('stopped', () => this.stopped.fire());
    this.client.on('error', () => {}); // a connection that ends; the events above tell
    this.client.start();
  }

  static async open(...args) {
    const client = new Client5(...args);
    const { connack, settings } = await Promise.race([
      client.connected.wait(),
      client.failed.promise.then((event) => Promise.reject(event.error)),
    ]);
    return Object.assign(client, { connack, settings });
  }

  async subscribe(topicFilter, options = {}) {
    const suback = await this.client.subscribe({ subscriptions: [{ topicFilter, qos: mqtt5.QoS.AtLeastOnce, ...options }] });
    return suback.reasonCodes[0];
  }

  publish(topicName, payload, options = {}) {
    return this.client.publish({ topicName, payload, qos: mqtt5.QoS.AtLeastOnce, ...options });
  }

  async stop(packet) {
    this.client.stop(packet);
    await this.stopped.wait();
    this.client.close();
  }
}

/** An empty payload comes as a detached buffer. */
function textOf(payload) {
  return payload?.byteLength ? Buffer.from(payload).toString() : '';
}

/** A connection of the SDK's MQTT 3.1.1 client, not yet connected. */
export function connection311(thing, clientId, port, { clean = true, configure = () => {} } = {}) {
  const builder = builder311(thing);
  builder.with_certificate_authority_from_path(undefined, thing.ca);
  builder.with_endpoint(ENDPOINT).with_client_id(clientId).with_clean_session(clean);
  builder.with_keep_alive_seconds(30).with_reconnect_min_sec(60).with_reconnect_max_sec(60);
  if (port) builder.with_port(port);
  configure(builder);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  connection.inbox = new Inbox();
  connection.interrupted = new Once('interruption');
  connection.on('interrupt', (error) => connection.interrupted.fire(error));
  connection.on('error', () => {});
  connection.on('message', (topic, payload, dup, qos, retain) =>
    connection.inbox.put({ topic, text: Buffer.from(payload).toString(), dup, qos, retain }),
  );
  return connection;
}
