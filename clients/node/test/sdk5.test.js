// The MQTT 5 client of the AWS IoT Device SDK v2 for JavaScript against a real server.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Client5, mqtt5 } from '../harness/sdk.js';
import { ARN, Server, allow, policy } from '../harness/server.js';
import { Inbox, unique } from '../harness/wait.js';

const REJOIN = {
  connect: { sessionExpiryIntervalSeconds: 600 },
  configure: (builder) => builder.withSessionBehavior(mqtt5.ClientSessionBehavior.RejoinAlways),
};
const PASSED_ON = {
  payloadFormat: mqtt5.PayloadFormatIndicator.Utf8,
  contentType: 'application/json',
  responseTopic: 'sdk/answers',
  correlationData: new Uint8Array([0, 1, 255]).buffer,
  userProperties: [{ name: 'a', value: '1' }, { name: 'b', value: '2' }, { name: 'a', value: '3' }],
};

let server;
let thing;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
});
after(() => server.stop());

const open = (options, clientId = unique('sdk5'), as = thing) => Client5.open(as, clientId, server.port('mqtts'), options);

function assertPassedOn(message) {
  assert.equal(message.payloadFormat, PASSED_ON.payloadFormat);
  assert.equal(message.contentType, PASSED_ON.contentType);
  assert.equal(message.responseTopic, PASSED_ON.responseTopic);
  assert.deepEqual(Buffer.from(message.correlationData), Buffer.from(PASSED_ON.correlationData));
  assert.deepEqual(message.userProperties.map(({ name, value }) => ({ name, value })), PASSED_ON.userProperties);
}

for (const [name, port] of [['the port it takes by itself', undefined], ['port 443 by ALPN', 443]]) {
  test(`connects on ${name}, publishes and subscribes`, async () => {
    const topic = unique('sdk5/basic');
    const client = await Client5.open(thing, unique('sdk5'), port);
    assert.equal(client.settings.rejoinedSession, false);
    assert.deepEqual(
      [client.connack.receiveMaximum, client.connack.maximumQos, client.connack.maximumPacketSize, client.connack.topicAliasMaximum],
      [100, mqtt5.QoS.AtLeastOnce, 149_504, 8],
    );
    assert.equal(await client.subscribe(`${topic}/+`), mqtt5.SubackReasonCode.GrantedQoS1);
    const puback = await client.publish(`${topic}/a`, 'one', { ...PASSED_ON, messageExpiryIntervalSeconds: 600 });
    assert.equal(puback.reasonCode, mqtt5.PubackReasonCode.Success);
    await client.publish(`${topic}/b`, 'zero', { qos: mqtt5.QoS.AtMostOnce });
    const [one, zero] = await client.inbox.takeAll(2);
    assert.deepEqual([one.topicName, one.text, one.qos], [`${topic}/a`, 'one', 1]);
    assert.deepEqual([zero.topicName, zero.text, zero.qos], [`${topic}/b`, 'zero', 0]);
    assertPassedOn(one);
    assert.ok(one.messageExpiryIntervalSeconds > 590 && one.messageExpiryIntervalSeconds <= 600);
    await client.stop();
  });
}

test('a will with properties, when the client says so', async () => {
  const topic = unique('sdk5/will');
  const watcher = await open();
  await watcher.subscribe(topic);
  const client = await open({ connect: { will: { topicName: topic, payload: 'gone', qos: mqtt5.QoS.AtLeastOnce, ...PASSED_ON } } });
  await client.stop({ reasonCode: mqtt5.DisconnectReasonCode.DisconnectWithWillMessage });
  const will = await watcher.inbox.take('will');
  assert.equal(will.text, 'gone');
  assertPassedOn(will);
  await watcher.stop();
});

test('retained messages: the exact filter, the properties, the end', async () => {
  const base = unique('sdk5/retained');
  const topic = `${base}/a`;
  const client = await open();
  await client.publish(topic, 'kept', { retain: true, ...PASSED_ON });
  assert.equal(await client.subscribe(`${base}/+`), mqtt5.SubackReasonCode.GrantedQoS1);
  await client.subscribe(topic, { retainHandlingType: mqtt5.RetainHandlingType.DontSend });
  await client.subscribe(topic, { retainHandlingType: mqtt5.RetainHandlingType.SendOnSubscribe, retainAsPublished: true });
  const kept = await client.inbox.take();
  assert.deepEqual([kept.text, kept.retain], ['kept', true]);
  assertPassedOn(kept);
  await client.publish(topic, '', { retain: true });
  const told = await client.inbox.takeAll(2);
  assert.deepEqual(told.map((m) => m.text), ['', '']);
  await client.stop();
});

test('a shared subscription gives each message to one member', async () => {
  const [topic, group] = [unique('sdk5/shared'), unique('group')];
  const members = [await open(), await open()];
  const all = new Inbox();
  for (const member of members) {
    member.inbox = all;
    assert.equal(await member.subscribe(`$share/${group}/${topic}`), mqtt5.SubackReasonCode.GrantedQoS1);
  }
  const publisher = await open();
  const sent = Array.from({ length: 40 }, (_, n) => `m${n}`);
  await Promise.all(sent.map((text) => publisher.publish(topic, text)));
  assert.deepEqual((await all.takeAll(40)).map((m) => m.text).toSorted(), sent.toSorted());
  for (const client of [...members, publisher]) await client.stop();
});

test('a session is rejoined with what waited for it', async () => {
  const [topic, id] = [unique('sdk5/session'), unique('sdk5')];
  const first = await open(REJOIN, id);
  assert.equal(first.settings.sessionExpiryInterval, 600);
  await first.subscribe(topic);
  await first.stop();
  const publisher = await open();
  const sent = Array.from({ length: 20 }, (_, n) => `stored ${n}`);
  for (const text of sent) await publisher.publish(topic, text);
  const second = await open(REJOIN, id);
  assert.equal(second.settings.rejoinedSession, true);
  assert.deepEqual((await second.inbox.takeAll(20)).map((m) => m.text), sent);
  await second.stop();
  await publisher.stop();
});

test('the SDK shortens topics by aliases', async () => {
  const topic = unique('sdk5/alias');
  const client = await open({
    configure: (builder) => builder.withTopicAliasingOptions({
      outboundBehavior: mqtt5.OutboundTopicAliasBehaviorType.LRU,
      outboundCacheMaxSize: 2,
      inboundBehavior: mqtt5.InboundTopicAliasBehaviorType.Enabled,
      inboundCacheMaxSize: 4,
    }),
  });
  assert.deepEqual([client.settings.topicAliasMaximumToServer, client.settings.topicAliasMaximumToClient], [8, 4]);
  await client.subscribe(`${topic}/+`);
  const names = ['a', 'a', 'b', 'a', 'c', 'b', 'c', 'a'];
  for (const name of names) await client.publish(`${topic}/${name}`, name);
  assert.deepEqual((await client.inbox.takeAll(8)).map((m) => [m.topicName, m.text]), names.map((n) => [`${topic}/${n}`, n]));
  await client.stop();
});

test('the client that loses its id is told 0x8E', async () => {
  const id = unique('sdk5');
  const first = await open({}, id);
  const second = await open({}, id);
  const disconnect = await first.lost.wait();
  assert.equal(disconnect?.reasonCode, mqtt5.DisconnectReasonCode.SessionTakenOver);
  assert.equal((await second.publish(unique('sdk5/taken'), 'mine')).reasonCode, 0);
  await first.stop();
  await second.stop();
});

test('denied operations carry code and words', async () => {
  const scoped = await server.createThing('scoped', 'thing-scoped');
  const refused = new Client5(scoped, 'somebody-else', server.port('mqtts'));
  const { connack } = await refused.failed.wait();
  assert.equal(connack.reasonCode, mqtt5.ConnectReasonCode.NotAuthorized);
  assert.match(connack.reasonString, /iot:Connect on client\/somebody-else/);
  await refused.stop();

  const client = await open({}, 'scoped', scoped);
  const suback = await client.client.subscribe({
    subscriptions: ['other/topic', 'scoped/ok'].map((topicFilter) => ({ topicFilter, qos: mqtt5.QoS.AtLeastOnce })),
  });
  assert.deepEqual(suback.reasonCodes, [mqtt5.SubackReasonCode.NotAuthorized, mqtt5.SubackReasonCode.GrantedQoS1]);
  assert.match(suback.reasonString, /iot:Subscribe on topicfilter\/other\/topic/);
  const puback = await client.publish('other/topic', 'no');
  assert.equal(puback.reasonCode, mqtt5.PubackReasonCode.NotAuthorized);
  assert.match(puback.reasonString, /iot:Publish on topic\/other\/topic/);
  await client.publish('scoped/ok', 'yes');
  assert.equal((await client.inbox.take()).text, 'yes');
  await client.publish('other/topic', 'no', { qos: mqtt5.QoS.AtMostOnce });
  const disconnect = await client.lost.wait();
  assert.equal(disconnect.reasonCode, mqtt5.DisconnectReasonCode.NotAuthorized);
  assert.match(disconnect.reasonString, /iot:Publish on topic\/other\/topic/);
  await client.stop();
});

test('what may not be received is not', async () => {
  const topic = unique('sdk5/receive');
  const deaf = await server.createThing('deaf', policy(
    allow(['iot:Connect', 'iot:Subscribe', 'iot:Publish'], '*'), allow('iot:Receive', `${ARN}topic/${topic}/open`)));
  const client = await open({}, unique('deaf'), deaf);
  await client.subscribe(`${topic}/+`);
  assert.equal((await client.publish(`${topic}/secret`, 'secret')).reasonCode, 0);
  await client.publish(`${topic}/open`, 'open');
  assert.equal((await client.inbox.take()).text, 'open');
  await client.stop();
});
