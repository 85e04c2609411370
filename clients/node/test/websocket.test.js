// MQTT over WebSocket: both clients of the AWS IoT Device SDK v2, the SDK v1, and MQTT.js with a URL that aws4 signed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { presigned, sessionOf } from '../harness/aws.js';
import { Client, V3, V5 } from '../harness/mqttjs.js';
import { Client5, connection311, mqtt } from '../harness/sdk.js';
import { Server } from '../harness/server.js';
import { unique, within } from '../harness/wait.js';

const CHILD = path.join(import.meta.dirname, '..', 'children', 'sdk1.cjs');

let server;
const credentials = {};
before(async () => {
  server = await Server.start();
  credentials['an access key'] = await server.keys();
  credentials['a session'] = await sessionOf(server);
});
after(() => server.stop());

for (const kind of ['an access key', 'a session']) {
  for (const listener of ['shared', 'api']) {
    test(`SDK v2 on MQTT 3.1.1 with ${kind}, listener ${listener}`, async () => {
      const topic = unique('ws/sdk3');
      const port = listener === 'shared' ? undefined : server.port(listener); // 443 is where it goes by itself
      const connection = connection311({ keys: credentials[kind], ca: server.ca }, unique('ws-sdk3'), port);
      assert.equal(await connection.connect(), false);
      await connection.subscribe(topic, mqtt.QoS.AtLeastOnce);
      const large = randomBytes(48 * 1024).toString('hex');
      for (const text of ['one', large, 'last']) await connection.publish(topic, text, mqtt.QoS.AtLeastOnce);
      const got = await connection.inbox.takeAll(3);
      assert.deepEqual(got.map((m) => [m.topic, m.text]), [[topic, 'one'], [topic, large], [topic, 'last']]);
      await connection.disconnect();
    });

    test(`SDK v2 on MQTT 5 with ${kind}, listener ${listener}`, async () => {
      const topic = unique('ws/sdk5');
      const port = listener === 'shared' ? undefined : server.port(listener);
      const client = await Client5.open({ keys: credentials[kind], ca: server.ca }, unique('ws-sdk5'), port);
      assert.equal(await client.subscribe(topic), 1);
      await client.publish(topic, 'one', { contentType: 'text/plain' });
      const message = await client.inbox.take();
      assert.deepEqual([message.topicName, message.text, message.contentType], [topic, 'one', 'text/plain']);
      await client.stop();
    });
  }

  test(`SDK v1 with ${kind}`, async () => {
    const topic = unique('ws/sdk1');
    const messages = ['one', 'x'.repeat(100_000), 'last'];
    const what = { host: 'localhost', port: server.port('api'), clientId: unique('ws-sdk1'), topic, keys: credentials[kind], messages };
    const env = { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: server.ca };
    const run = promisify(execFile)(process.execPath, [CHILD, JSON.stringify(what)], { env, timeout: 30_000 });
    const { stdout } = await within(run, 'end of SDK v1', 40_000);
    assert.deepEqual(stdout.trim().split('\n').map((line) => JSON.parse(line)), messages.map((m) => [topic, m]));
  });

  for (const token of kind === 'a session' ? ['behind', 'signed'] : ['behind']) {
    for (const [name, version] of [['3.1.1', V3], ['5', V5]]) {
      test(`MQTT.js on MQTT ${name} with ${kind}, its token ${token}`, async () => {
        const topic = unique('ws/mqttjs');
        const url = presigned(server, credentials[kind], { token });
        const client = await Client.open(server, { url, ca: server.ca }, unique('ws-mqttjs'), version);
        await client.subscribe(topic);
        for (const text of ['one', 'x'.repeat(100_000), '']) await client.publish(topic, text);
        const got = await client.inbox.takeAll(3);
        assert.deepEqual(got.map((m) => [m.topic, m.text]), [[topic, 'one'], [topic, 'x'.repeat(100_000)], [topic, '']]);
        await client.end();
      });
    }
  }
}

test('a URL that somebody has changed is refused, and nothing else is', async () => {
  const url = presigned(server, credentials['an access key']);
  const last = url.at(-1) === '0' ? '1' : '0';
  const client = new Client(server, { url: url.slice(0, -1) + last, ca: server.ca }, unique('ws-changed'), V5);
  await client.closed.wait();
  assert.deepEqual(client.packets.rest, []);
  assert.match(await server.run('logs'), /SECURITY_TOKEN_SIGNATURE_MISMATCH/);
  const good = await Client.open(server, { url, ca: server.ca }, unique('ws-unchanged'), V5);
  await good.end();
});

test('a device whose WebSocket breaks leaves its will, one that says goodbye does not', async () => {
  const topic = unique('ws/will');
  const url = presigned(server, credentials['an access key']);
  const watcher = await Client.open(server, { url, ca: server.ca }, unique('ws-watcher'), V5);
  await watcher.subscribe(topic);
  const will = (payload) => ({ will: { topic, payload, qos: 1 } });
  const polite = await Client.open(server, { url, ca: server.ca }, unique('ws-polite'), V5, will('polite'));
  await polite.end();
  const dead = await Client.open(server, { url, ca: server.ca }, unique('ws-dead'), V5, will('dead'));
  await dead.drop();
  assert.equal((await watcher.inbox.take()).text, 'dead');
  await watcher.end();
});
