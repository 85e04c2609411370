// MQTT.js with its events made waitable.

import { readFileSync } from 'node:fs';
import mqtt from 'mqtt';
import { ENDPOINT } from './server.js';
import { Inbox, Once, WAIT } from './wait.js';

export const V3 = 4;
export const V5 = 5;

export class Client {
  /** Dials without waiting for what comes of it. A thing has a certificate, or a url of wss that speaks for it. */
  constructor(server, thing, clientId, protocolVersion, options = {}) {
    this.inbox = new Inbox();
    this.packets = new Inbox(); // all but PUBLISH, as they came
    this.connected = new Once('connection');
    this.closed = new Once('end of the connection');
    this.disconnect = undefined; // the server's DISCONNECT
    const common = { clientId, protocolVersion, ca: readFileSync(thing.ca), reconnectPeriod: 0, connectTimeout: WAIT, keepalive: 60 };
    this.client = thing.url
      ? mqtt.connect(thing.url, { ...common, ...options })
      : mqtt.connect({
          protocol: 'mqtts', host: ENDPOINT, port: server.port('mqtts'), cert: readFileSync(thing.cert), key: readFileSync(thing.key),
          ...common, ...options,
        });
    this.client.on('message', (topic, payload, packet) => this.inbox.put({ topic, text: payload.toString(), packet }));
    this.client.on('packetreceive', (packet) => packet.cmd !== 'publish' && this.packets.put(packet));
    this.client.on('connect', (connack) => this.connected.fire(connack));
    this.client.on('disconnect', (packet) => {
      this.disconnect = packet;
    });
    this.client.on('close', () => this.closed.fire());
    this.client.on('error', (error) => {
      this.error = error;
    });
  }

  /** A client that is connected. */
  static async open(...args) {
    const client = new Client(...args);
    client.connack = await Promise.race([
      client.connected.wait(),
      client.closed.promise.then(() => Promise.reject(client.error ?? new Error('closed without a CONNACK'))),
    ]);
    await client.packets.take('CONNACK');
    return client;
  }

  subscribe(filter, options = { qos: 1 }) {
    return this.client.subscribeAsync(filter, options);
  }

  publish(topic, payload, options = { qos: 1 }) {
    return this.client.publishAsync(topic, payload, options);
  }

  /** Leaves as a client should. */
  async end() {
    await this.client.endAsync();
  }

  /** Breaks the connection as a dead device does: no DISCONNECT. */
  async drop() {
    this.client.stream.destroy();
    await this.closed.wait();
  }
}
