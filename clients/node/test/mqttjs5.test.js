// MQTT.js against a real server: what only MQTT 5 has.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client, V3, V5 } from '../harness/mqttjs.js';
import { Server } from '../harness/server.js';
import { unique } from '../harness/wait.js';

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const PERSISTENT = { clean: false, properties: { sessionExpiryInterval: 600 } };

// Everything of a PUBLISH or a will that the broker passes on.
const PASSED_ON = {
  payloadFormatIndicator: true,
  contentType: 'application/json',
  responseTopic: 'js/answers',
  correlationData: Buffer.from([0, 1, 255]),
  userProperties: { a: ['1', '3'], b: '2' },
};

let server;
let thing;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
});
after(() => server.stop());

const open = (options, clientId = unique('js5')) => Client.open(server, thing, clientId, V5, options);

function assertPassedOn(properties) {
  assert.equal(properties.payloadFormatIndicator, PASSED_ON.payloadFormatIndicator);
  assert.equal(properties.contentType, PASSED_ON.contentType);
  assert.equal(properties.responseTopic, PASSED_ON.responseTopic);
  assert.deepEqual(properties.correlationData, PASSED_ON.correlationData);
  assert.deepEqual({ ...properties.userProperties }, PASSED_ON.userProperties);
}

/** Waits until the retained message of a topic has expired: asks for it again and again. */
async function untilExpired(client, topic) {
  for (const marker = unique('js5/marker'); ; ) {
    await client.subscribe([topic, marker]);
    await client.publish(marker, '');
    const first = await client.inbox.take();
    if (first.topic === marker) return;
    await client.inbox.take('marker');
  }
}

test('CONNACK says what the service can', async () => {
  const client = await open({ keepalive: 65_535, properties: { sessionExpiryInterval: 600 } });
  assert.deepEqual({ ...client.connack.properties }, {
    sessionExpiryInterval: 600,
    receiveMaximum: 100,
    maximumQoS: 1,
    retainAvailable: true,
    maximumPacketSize: 149_504,
    topicAliasMaximum: 8,
    wildcardSubscriptionAvailable: true,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: true,
    serverKeepAlive: 1200,
  });
  await client.end();
});

test('an empty client id gets one', async () => {
  const client = await open({}, '');
  assert.match(client.connack.properties.assignedClientIdentifier, new RegExp(`^\\$GEN/${UUID}$`));
  await client.end();
});

test('every property of a message is passed on', async () => {
  const topic = unique('js5/properties');
  const client = await open();
  await client.subscribe(topic);
  await client.publish(topic, '{}', { qos: 1, properties: { ...PASSED_ON, messageExpiryInterval: 600 } });
  const { properties } = (await client.inbox.take()).packet;
  assertPassedOn(properties);
  assert.ok(properties.messageExpiryInterval >= 590 && properties.messageExpiryInterval <= 600);
  await client.end();
});

test('a message of 5 reaches 3.1.1 without its properties, and the other way round', async () => {
  const topic = unique('js5/both');
  const five = await open();
  const three = await Client.open(server, thing, unique('js5'), V3);
  await five.subscribe(`${topic}/to5`);
  await three.subscribe(`${topic}/to3`);
  await five.publish(`${topic}/to3`, 'from 5', { qos: 1, properties: PASSED_ON });
  await three.publish(`${topic}/to5`, 'from 3.1.1');
  const [at3, at5] = [await three.inbox.take(), await five.inbox.take()];
  assert.deepEqual([at3.text, at3.packet.properties], ['from 5', undefined]);
  assert.deepEqual([at5.text, at5.packet.properties], ['from 3.1.1', undefined]);
  await five.end();
  await three.end();
});

test('a retained message keeps its properties', async () => {
  const topic = unique('js5/retained');
  const client = await open();
  await client.publish(topic, '{}', { qos: 1, retain: true, properties: PASSED_ON });
  await client.subscribe(topic);
  const kept = await client.inbox.take();
  assert.equal(kept.packet.retain, true);
  assertPassedOn(kept.packet.properties);
  await client.end();
});

test('a will keeps its properties', async () => {
  const topic = unique('js5/will');
  const watcher = await open();
  await watcher.subscribe(topic);
  const properties = { ...PASSED_ON, messageExpiryInterval: 600 };
  const dying = await open({ will: { topic, payload: '{}', qos: 1, retain: false, properties } });
  await dying.drop();
  const will = await watcher.inbox.take('will');
  assertPassedOn(will.packet.properties);
  assert.ok(will.packet.properties.messageExpiryInterval > 590);
  await watcher.end();
});

test('a delayed will comes after its delay, and not when the client is back before', async () => {
  const topic = unique('js5/delayed');
  const watcher = await open();
  await watcher.subscribe(`${topic}/+`);
  const will = (who, willDelayInterval) => ({
    ...PERSISTENT,
    will: { topic: `${topic}/${who}`, payload: '', qos: 1, retain: false, properties: { willDelayInterval } },
  });
  const back = unique('js5');
  await (await open(will('back', 600), back)).drop();
  await (await open(will('away', 1))).drop();
  const returned = await open(PERSISTENT, back);
  assert.equal(returned.connack.sessionPresent, true);
  assert.equal((await watcher.inbox.take('will')).topic, `${topic}/away`);
  assert.deepEqual(watcher.inbox.rest, []);
  await returned.end();
  await watcher.end();
});

test('DISCONNECT 0x04 leaves the will behind', async () => {
  const topic = unique('js5/with-will');
  const watcher = await open();
  await watcher.subscribe(topic);
  const client = await open({ will: { topic, payload: 'gone', qos: 1, retain: false } });
  await client.client.endAsync(false, { reasonCode: 0x04 });
  assert.equal((await watcher.inbox.take('will')).text, 'gone');
  await watcher.end();
});

test('a message expires, retained and queued', async () => {
  const topic = unique('js5/expiry');
  const id = unique('js5');
  const sleeper = await open(PERSISTENT, id);
  await sleeper.subscribe(`${topic}/queued`);
  await sleeper.end();
  const client = await open();
  const short = { qos: 1, properties: { messageExpiryInterval: 1 } };
  await client.publish(`${topic}/queued`, 'too late', short);
  await client.publish(`${topic}/queued`, 'in time');
  await client.publish(`${topic}/kept`, 'too late', { ...short, retain: true });
  await untilExpired(client, `${topic}/kept`);
  const awake = await open(PERSISTENT, id);
  assert.equal((await awake.inbox.take()).text, 'in time');
  assert.deepEqual(awake.inbox.rest, []);
  await awake.end();
  await client.end();
});

test('topic aliases shorten what the client sends', async () => {
  const topic = unique('js5/alias');
  const client = await open({ autoAssignTopicAlias: true });
  const sent = [];
  client.client.on('packetsend', (packet) => packet.cmd === 'publish' && sent.push([packet.topic, packet.properties?.topicAlias]));
  await client.subscribe(`${topic}/+`);
  for (const name of ['a', 'a', 'b', 'a']) await client.publish(`${topic}/${name}`, name);
  assert.deepEqual((await client.inbox.takeAll(4)).map((m) => m.topic), ['a', 'a', 'b', 'a'].map((n) => `${topic}/${n}`));
  assert.deepEqual(sent, [[`${topic}/a`, 1], ['', 1], [`${topic}/b`, 2], ['', 1]], 'the client used no aliases');
  await client.end();
});

test('a client that offers aliases understands what it gets', async () => {
  const topic = unique('js5/alias-in');
  const client = await open({ properties: { topicAliasMaximum: 4 } });
  await client.subscribe(`${topic}/+`);
  for (let n = 0; n < 8; n++) await client.publish(`${topic}/${n % 6}`, `${n}`);
  const got = await client.inbox.takeAll(8);
  assert.deepEqual(got.map((m) => [m.topic, m.text]), got.map((_, n) => [`${topic}/${n % 6}`, `${n}`]));
  await client.end();
});

test('subscription options: no local, retain as published, retain handling', async () => {
  const topic = unique('js5/options');
  const [client, other] = [await open(), await open()];
  await other.publish(`${topic}/kept`, 'kept', { qos: 1, retain: true });
  await client.subscribe(`${topic}/mine`, { qos: 1, nl: true });
  await client.subscribe(`${topic}/as-is`, { qos: 1, rap: true });
  await client.subscribe(`${topic}/kept`, { qos: 1, rh: 1 });
  assert.equal((await client.inbox.take()).text, 'kept');
  await client.subscribe(`${topic}/kept`, { qos: 1, rh: 1 }); // only a new subscription gets it
  await client.subscribe(`${topic}/kept`, { qos: 1, rh: 2 }); // never
  await client.publish(`${topic}/mine`, 'from myself');
  await other.publish(`${topic}/mine`, 'from another');
  await other.publish(`${topic}/as-is`, 'with its flag', { qos: 1, retain: true });
  const got = await client.inbox.takeAll(2);
  assert.deepEqual(got.map((m) => [m.text, m.packet.retain]), [['from another', false], ['with its flag', true]]);
  assert.deepEqual(client.inbox.rest, []);
  await client.end();
  await other.end();
});

test('a shared subscription with a persistent member waits for it', async () => {
  const topic = unique('js5/shared');
  const id = unique('js5');
  const member = await open(PERSISTENT, id);
  await member.subscribe(`$share/${unique('group')}/${topic}`);
  await member.end();
  const publisher = await open();
  const sent = Array.from({ length: 10 }, (_, n) => `m${n}`);
  for (const text of sent) await publisher.publish(topic, text, { qos: 1, properties: { userProperties: { text } } });
  const back = await open(PERSISTENT, id);
  const got = await back.inbox.takeAll(10);
  assert.deepEqual(got.map((m) => m.text).toSorted(), sent);
  assert.ok(got.every((m) => m.packet.properties.userProperties.text === m.text));
  await back.end();
  await publisher.end();
});

test('the session ends when DISCONNECT says so', async () => {
  const id = unique('js5');
  const client = await open(PERSISTENT, id);
  await client.client.endAsync(false, { reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
  const again = await open(PERSISTENT, id);
  assert.equal(again.connack.sessionPresent, false);
  await again.end();
});

test('QoS 2 and subscription identifiers are refused in words', async () => {
  for (const [wrong, code] of [
    [(client) => client.client.publish('js5/wrong', 'x', { qos: 2 }), 0x9b],
    [(client) => client.client.subscribe('js5/wrong', { qos: 1, properties: { subscriptionIdentifier: 5 } }), 0xa1],
  ]) {
    const client = await open();
    client.connack.properties.maximumQoS = 2;
    wrong(client);
    await client.closed.wait();
    assert.equal(client.disconnect?.reasonCode, code);
    assert.ok(client.disconnect.properties.reasonString.startsWith('DISCONNECT:'));
  }
});

test('unsubscribing from what was never subscribed is no error', async () => {
  const client = await open();
  await client.client.unsubscribeAsync('js5/never');
  assert.deepEqual((await client.packets.take('UNSUBACK')).granted, [0]);
  await client.end();
});
