// AWS's SDK v3 for JavaScript: every operation of the data plane's newest model, but shadows.

import {
  DeleteConnectionCommand, GetConnectionCommand, GetRetainedMessageCommand, ListRetainedMessagesCommand, ListSubscriptionsCommand,
  PublishCommand, SendDirectMessageCommand, paginateListRetainedMessages,
} from '@aws-sdk/client-iot-data-plane';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dataPlane, refused, sessionOf } from '../harness/aws.js';
import { Client, V3, V5 } from '../harness/mqttjs.js';
import { Client5, mqtt5 } from '../harness/sdk.js';
import { Server } from '../harness/server.js';
import { unique } from '../harness/wait.js';

const PAIRS = [{ deviceName: 'alpha' }, { deviceCnt: '45' }, { deviceName: 'Größe ☃' }];
const BYTES = new Uint8Array([0, 1, 255, 128]);

let server;
let thing;
let data;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
  data = await dataPlane(server);
});
after(async () => {
  data.destroy();
  await server.stop();
});

const open = (version = V5, options = {}, clientId = unique('device')) =>
  Client.open(server, thing, clientId, version, options).then((client) => Object.assign(client, { clientId }));

test('publishes with every parameter', async () => {
  const topic = `${unique('js/every')} 100%/☃//`;
  const device = await open();
  await device.subscribe(topic);
  const answer = await data.send(new PublishCommand({
    topic, qos: 1, retain: true, payload: BYTES, userProperties: JSON.stringify(PAIRS), payloadFormatIndicator: 'UNSPECIFIED_BYTES',
    contentType: 'application/octet-stream; x="1 2"', responseTopic: 'js/answers to ☃', messageExpiry: 600,
    correlationData: Buffer.from('corr').toString('base64'),
  }));
  assert.match(answer.$metadata.requestId, /^[0-9a-f-]{36}$/);
  const { packet } = await device.inbox.take();
  assert.deepEqual([packet.topic, packet.qos, packet.retain, [...packet.payload]], [topic, 1, false, [...BYTES]]);
  const { properties } = packet;
  assert.deepEqual({ ...properties.userProperties }, { deviceName: ['alpha', 'Größe ☃'], deviceCnt: '45' });
  assert.equal(properties.contentType, 'application/octet-stream; x="1 2"');
  assert.equal(properties.responseTopic, 'js/answers to ☃');
  assert.equal(properties.correlationData.toString(), 'corr');
  assert.ok(!properties.payloadFormatIndicator);
  assert.ok(properties.messageExpiryInterval > 500 && properties.messageExpiryInterval <= 600);
  const kept = await data.send(new GetRetainedMessageCommand({ topic }));
  assert.deepEqual([kept.topic, kept.qos, [...kept.payload]], [topic, 1, [...BYTES]]);
  assert.deepEqual(JSON.parse(Buffer.from(kept.userProperties).toString()), PAIRS);
  assert.ok(Math.abs(kept.lastModifiedTime - Date.now()) < 120_000);
  await data.send(new PublishCommand({ topic, retain: true }));
  await assert.rejects(data.send(new GetRetainedMessageCommand({ topic })), refused('ResourceNotFoundException', 404));
  await device.end();
});

test('publishes with zeros, with white space in user properties, and with a session', async () => {
  const topic = unique('js/zeros');
  const device = await open();
  await device.subscribe(topic);
  const session = await dataPlane(server, await sessionOf(server));
  await session.send(new PublishCommand({
    topic, qos: 0, retain: false, messageExpiry: 0, userProperties: '[ { "a" : "1" } ,\n {"a":"2"} ]',
  }));
  session.destroy();
  const { packet } = await device.inbox.take();
  assert.deepEqual([packet.qos, packet.payload.length], [0, 0]);
  assert.deepEqual(packet.properties.userProperties.a, ['1', '2']);
  await assert.rejects(data.send(new PublishCommand({ topic, userProperties: '{"a":"1"}' })), refused('InvalidRequestException', 400));
  await assert.rejects(data.send(new PublishCommand({ topic, userProperties: 'a=1' })), refused('InvalidRequestException', 400));
  await device.end();
});

test('pages through retained messages', async () => {
  const topics = Array.from({ length: 12 }, (_, n) => `js/shelf/${String(n).padStart(2, '0')} ☃`);
  await Promise.all(topics.map((topic) => data.send(new PublishCommand({ topic, qos: 1, retain: true, payload: BYTES }))));
  const seen = [];
  for await (const page of paginateListRetainedMessages({ client: data, pageSize: 5 }, {})) {
    assert.ok(page.retainedTopics.length <= 5);
    seen.push(...page.retainedTopics);
  }
  assert.deepEqual(seen.map((row) => row.topic).filter((topic) => topics.includes(topic)).sort(), topics);
  assert.ok(seen.every((row) => Number.isInteger(row.payloadSize) && Number.isInteger(row.lastModifiedTime)));
  await assert.rejects(data.send(new ListRetainedMessagesCommand({ maxResults: 0 })), refused('InvalidRequestException', 400));
  await assert.rejects(data.send(new ListRetainedMessagesCommand({ nextToken: 'x' })), refused('InvalidRequestException', 400));
});

test('tells of a connection, with and without its socket', async () => {
  const before = Date.now();
  const device = await open(V5, { keepalive: 45, clean: false, properties: { sessionExpiryInterval: 600 } });
  const { clientId } = device;
  const got = await data.send(new GetConnectionCommand({ clientId, includeSocketInformation: true }));
  assert.equal(got.connected, true);
  assert.equal(got.clientId, clientId);
  assert.equal(got.cleanSession, false);
  assert.equal(got.keepAliveDuration, 45);
  assert.equal(got.sessionExpiry, 600);
  assert.deepEqual([got.sourceIp, got.targetPort], ['127.0.0.1', server.port('mqtts')]);
  assert.equal(got.sourcePort, device.client.stream.localPort);
  assert.ok(got.connectedSince >= before - 1000 && got.connectedSince <= Date.now() + 1000);
  assert.equal(got.disconnectedSince, undefined);
  const without = await data.send(new GetConnectionCommand({ clientId }));
  assert.deepEqual([without.sourceIp, without.sourcePort, without.targetIp, without.targetPort], [undefined, undefined, undefined, undefined]);
  await device.end();
  const gone = await data.send(new GetConnectionCommand({ clientId }));
  assert.deepEqual([gone.connected, gone.disconnectReason], [false, 'CLIENT_INITIATED_DISCONNECT']);
  assert.ok(gone.disconnectedSince >= gone.connectedSince || gone.connectedSince === undefined);
  await assert.rejects(data.send(new GetConnectionCommand({ clientId: unique('nobody') })), refused('ResourceNotFoundException', 404));
});

test('lists subscriptions page by page, of a client that sleeps too', async () => {
  const device = await open(V5, { clean: false, properties: { sessionExpiryInterval: 600 } });
  const { clientId } = device;
  const filters = Array.from({ length: 25 }, (_, n) => `js/list/${String(n).padStart(2, '0')}/+`);
  for (let n = 0; n < 25; n += 5) {
    await device.subscribe(Object.fromEntries(filters.slice(n, n + 5).map((f, i) => [f, { qos: i % 2 }])));
  }
  const list = async (maxResults) => {
    const rows = [];
    let nextToken;
    do {
      const page = await data.send(new ListSubscriptionsCommand({ clientId, maxResults, nextToken }));
      assert.ok(page.subscriptions.length <= (maxResults ?? 20));
      rows.push(...page.subscriptions);
      ({ nextToken } = page);
    } while (nextToken);
    return rows.sort((a, b) => (a.topicFilter < b.topicFilter ? -1 : 1));
  };
  const want = filters.map((topicFilter, n) => ({ topicFilter, qos: (n % 5) % 2 }));
  assert.deepEqual(await list(undefined), want);
  assert.deepEqual(await list(3), want);
  await device.end();
  assert.deepEqual(await list(200), want);
  await assert.rejects(data.send(new ListSubscriptionsCommand({ clientId: unique('nobody') })), refused('ResourceNotFoundException', 404));
});

test('disconnects a device: 0x98, its will unless it is prevented, its session unless it is to be cleaned', async () => {
  const topic = unique('js/will');
  const watcher = await open();
  await watcher.subscribe(topic);
  const device = async (name) => {
    const options = {
      connect: { sessionExpiryIntervalSeconds: 600, will: { topicName: topic, payload: name, qos: mqtt5.QoS.AtLeastOnce } },
      configure: (builder) => builder.withSessionBehavior(mqtt5.ClientSessionBehavior.RejoinAlways),
    };
    return Client5.open(thing, name, server.port('mqtts'), options);
  };
  for (const [name, preventWillMessage, cleanSession] of [['quiet', true, true], ['loud', false, false]]) {
    const client = await device(name);
    await client.subscribe('js/stays');
    await data.send(new DeleteConnectionCommand({ clientId: name, preventWillMessage, cleanSession }));
    const disconnect = await client.lost.wait();
    assert.equal(disconnect.reasonCode, 0x98);
    await client.stop();
    const again = await device(name);
    assert.equal(again.settings.rejoinedSession, !cleanSession);
    await again.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
    const told = await data.send(new GetConnectionCommand({ clientId: name }));
    assert.equal(told.connected, false);
  }
  assert.equal((await watcher.inbox.take()).text, 'loud', 'the will of quiet was to be prevented');
  await watcher.end();
  await assert.rejects(data.send(new DeleteConnectionCommand({ clientId: unique('nobody') })), refused('ResourceNotFoundException', 404));
});

test('disconnects a device of MQTT 3.1.1, which only sees the end', async () => {
  const device = await open(V3);
  await data.send(new DeleteConnectionCommand({ clientId: device.clientId }));
  await device.closed.wait();
  assert.equal(device.disconnect, undefined);
  const told = await data.send(new GetConnectionCommand({ clientId: device.clientId }));
  assert.equal(told.disconnectReason, 'API_INITIATED_DISCONNECT');
});

test('sends a direct message to a device that has not subscribed', async () => {
  const device = await open();
  const answer = await data.send(new SendDirectMessageCommand({
    clientId: device.clientId, topic: 'js/direct/a b', payload: BYTES, confirmation: true, timeout: 10, contentType: 'text/plain',
    responseTopic: 'js/answers', userProperties: JSON.stringify(PAIRS), payloadFormatIndicator: 'UTF8_DATA',
    correlationData: Buffer.from('corr').toString('base64'),
  }));
  assert.equal(answer.message, 'OK');
  assert.equal(answer.traceId, answer.$metadata.requestId);
  const { packet } = await device.inbox.take();
  assert.deepEqual([packet.topic, packet.qos, packet.retain, [...packet.payload]], ['js/direct/a b', 1, false, [...BYTES]]);
  assert.deepEqual({ ...packet.properties.userProperties }, { deviceName: ['alpha', 'Größe ☃'], deviceCnt: '45' });
  assert.deepEqual([packet.properties.contentType, packet.properties.responseTopic], ['text/plain', 'js/answers']);
  assert.equal(packet.properties.correlationData.toString(), 'corr');
  await data.send(new SendDirectMessageCommand({ clientId: device.clientId, topic: 'js/direct/b', payload: BYTES }));
  assert.equal((await device.inbox.take()).packet.qos, 0);
  await device.end();
  await assert.rejects(
    data.send(new SendDirectMessageCommand({ clientId: device.clientId, topic: 'js/direct', payload: BYTES })),
    refused('ResourceNotFoundException', 404),
  );
});

test('a device of MQTT 3.1.1 gets a direct message without its properties', async () => {
  const device = await open(V3);
  await data.send(new SendDirectMessageCommand({
    clientId: device.clientId, topic: 'js/direct/old', payload: BYTES, confirmation: true, userProperties: JSON.stringify(PAIRS),
  }));
  const { packet } = await device.inbox.take();
  assert.deepEqual([packet.topic, [...packet.payload], packet.properties], ['js/direct/old', [...BYTES], undefined]);
  await device.end();
});

test('a device that does not acknowledge is a 504', async () => {
  const device = await open();
  device.client.handleMessage = () => {}; // MQTT.js acknowledges when this says it is done
  await assert.rejects(
    data.send(new SendDirectMessageCommand({ clientId: device.clientId, topic: 'js/silent', payload: BYTES, confirmation: true, timeout: 1 })),
    refused('GatewayTimeoutException', 504),
  );
  assert.equal((await device.inbox.take()).topic, 'js/silent');
  await device.drop();
});

test('refuses what is none', async () => {
  const device = await open();
  const { clientId } = device;
  const message = { clientId, topic: 'js/a', payload: BYTES };
  for (const input of [{ ...message, topic: 'js/+' }, { ...message, timeout: 16, confirmation: true }, { ...message, userProperties: '{}' }]) {
    await assert.rejects(data.send(new SendDirectMessageCommand(input)), refused('InvalidRequestException', 400));
  }
  const large = { ...message, payload: new Uint8Array(128 * 1024 + 1) };
  await assert.rejects(data.send(new SendDirectMessageCommand(large)), refused('RequestEntityTooLargeException', 413));
  await assert.rejects(data.send(new PublishCommand({ topic: 'js/a', payload: large.payload })), refused('RequestEntityTooLargeException', 413));
  const stranger = await dataPlane(server, { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' });
  await assert.rejects(stranger.send(new PublishCommand({ topic: 'js/a' })), refused('UnauthorizedException', 401));
  stranger.destroy();
  await device.end();
});

test('an endpoint with a slash at its end sends two, and is served', async () => {
  const slashed = await dataPlane(server, undefined, { endpoint: `${server.url()}/` });
  const topic = unique('js/slash');
  const device = await open();
  await device.subscribe(topic);
  await slashed.send(new PublishCommand({ topic, qos: 1, payload: BYTES }));
  assert.equal((await device.inbox.take()).topic, topic);
  slashed.destroy();
  await device.end();
});
