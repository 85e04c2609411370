// The MQTT 3.1.1 client of the AWS IoT Device SDK v2 for JavaScript against a real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connection311, mqtt } from '../harness/sdk.js';
import { Server } from '../harness/server.js';
import { unique } from '../harness/wait.js';

const { AtLeastOnce, AtMostOnce } = mqtt.QoS;

let server;
let thing;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
});
after(() => server.stop());

async function open(options, clientId = unique('sdk3'), as = thing) {
  const connection = connection311(as, clientId, server.port('mqtts'), options);
  connection.sessionPresent = await connection.connect();
  return connection;
}

for (const [name, port] of [['the port it takes by itself', undefined], ['port 443 by ALPN', 443]]) {
  test(`connects on ${name}, publishes and subscribes`, async () => {
    const topic = unique('sdk3/basic');
    const connection = connection311(thing, unique('sdk3'), port);
    assert.equal(await connection.connect(), false);
    const { qos } = await connection.subscribe(`${topic}/+`, AtLeastOnce);
    assert.equal(qos, AtLeastOnce);
    for (let n = 0; n < 20; n++) await connection.publish(`${topic}/a`, JSON.stringify({ n }), n % 2);
    const got = await connection.inbox.takeAll(20);
    assert.deepEqual(got.map((m) => [JSON.parse(m.text).n, m.qos]), got.map((_, n) => [n, n % 2]));
    assert.ok(got.every((m) => m.topic === `${topic}/a` && !m.dup && !m.retain));
    await connection.unsubscribe(`${topic}/+`);
    await connection.disconnect();
  });
}

test('a persistent session keeps its messages', async () => {
  const [topic, id] = [unique('sdk3/session'), unique('sdk3')];
  const first = await open({ clean: false }, id);
  assert.equal(first.sessionPresent, false);
  await first.subscribe(topic, AtLeastOnce);
  await first.disconnect();
  const publisher = await open();
  const sent = Array.from({ length: 20 }, (_, n) => `stored ${n}`);
  for (const text of sent) await publisher.publish(topic, text, AtLeastOnce);
  const second = await open({ clean: false }, id);
  assert.equal(second.sessionPresent, true);
  assert.deepEqual((await second.inbox.takeAll(20)).map((m) => m.text), sent);
  await second.disconnect();
  await publisher.disconnect();
});

test('retained messages come for the exact filter', async () => {
  const topic = unique('sdk3/retained');
  const connection = await open();
  await connection.publish(topic, 'kept', AtLeastOnce, true);
  await connection.subscribe(`${topic}/#`, AtLeastOnce);
  await connection.subscribe(topic, AtLeastOnce);
  const kept = await connection.inbox.take();
  assert.deepEqual([kept.topic, kept.text, kept.retain], [topic, 'kept', true]);
  await connection.disconnect();
});

test('the second connection of a client id ends the first, whose will is published', async () => {
  const [topic, id] = [unique('sdk3/will'), unique('sdk3')];
  const watcher = await open();
  await watcher.subscribe(topic, AtLeastOnce);
  const will = new mqtt.MqttWill(topic, AtLeastOnce, 'taken over', false);
  const first = await open({ configure: (builder) => builder.with_will(will) }, id);
  const second = await open({}, id);
  await first.interrupted.wait();
  assert.equal((await watcher.inbox.take('will')).text, 'taken over');
  await second.publish(topic, 'still here', AtLeastOnce);
  assert.equal((await watcher.inbox.take()).text, 'still here');
  await second.disconnect();
  await watcher.disconnect();
});

test('denied operations end the connection without a word', async () => {
  const scoped = await server.createThing('scoped', 'thing-scoped');
  await assert.rejects(open({}, 'somebody-else', scoped), /HANGUP|CLOSED/);
  for (const denied of [
    (connection) => connection.publish('other/topic', 'no', AtMostOnce),
    (connection) => connection.publish('other/topic', 'no', AtLeastOnce),
    (connection) => connection.subscribe('other/topic', AtLeastOnce),
  ]) {
    const connection = await open({}, 'scoped', scoped);
    await connection.subscribe('scoped/#', AtLeastOnce);
    denied(connection).catch(() => {}); // never answered
    await connection.interrupted.wait();
  }
});
