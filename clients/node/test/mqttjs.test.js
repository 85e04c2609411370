// MQTT.js against a real server: what both versions of MQTT have.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, V3, V5 } from '../harness/mqttjs.js';
import { ARN, Server, allow, policy } from '../harness/server.js';
import { Inbox, unique } from '../harness/wait.js';

// The reason in words, then a trace id.
const because = (packet, action) => new RegExp(`^${packet}:not allowed to .* no policy allows ${action};.*:[0-9a-f-]{36}$`);

let server;
let thing;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
});
after(() => server.stop());

for (const version of [V3, V5]) {
  const persistent = version === V5 ? { clean: false, properties: { sessionExpiryInterval: 600 } } : { clean: false };
  const open = (clientId, options, as = thing) => Client.open(server, as, clientId, version, options);

  describe(`MQTT.js, MQTT ${version === V5 ? '5' : '3.1.1'}`, () => {
    test('publishes and subscribes with QoS 0 and 1, through wildcards', async () => {
      const topic = unique('js/basic');
      const client = await open(unique('js'));
      assert.equal(client.connack.sessionPresent, false);
      const granted = await client.subscribe({ [`${topic}/+`]: { qos: 1 }, [`${topic}/deep/#`]: { qos: 0 } });
      assert.deepEqual(granted.map((g) => g.qos), [1, 0]);
      await client.publish(`${topic}/a`, 'one', { qos: 1 });
      await client.publish(`${topic}/b`, 'zero', { qos: 0 });
      await client.publish(`${topic}/deep/er`, 'down to zero', { qos: 1 });
      const got = await client.inbox.takeAll(3);
      assert.deepEqual(got.map((m) => [m.topic, m.text, m.packet.qos]), [
        [`${topic}/a`, 'one', 1], [`${topic}/b`, 'zero', 0], [`${topic}/deep/er`, 'down to zero', 0],
      ]);
      assert.ok(got.every((m) => !m.packet.dup && !m.packet.retain));
      await client.client.unsubscribeAsync(`${topic}/+`);
      await client.publish(`${topic}/a`, 'to nobody');
      await client.publish(`${topic}/deep/er`, 'to the end');
      assert.equal((await client.inbox.take()).text, 'to the end');
      await client.end();
    });

    test('a will is published when the connection breaks, not when the client leaves', async () => {
      const topic = unique('js/will');
      const watcher = await open(unique('js'));
      await watcher.subscribe(`${topic}/#`);
      const will = { topic: `${topic}/leaver`, payload: 'gone', qos: 1, retain: false };
      await (await open(unique('js'), { will })).end();
      const dying = await open(unique('js'), { will: { ...will, topic: `${topic}/dead` } });
      await dying.drop();
      const { topic: came, text, packet } = await watcher.inbox.take('will');
      assert.deepEqual([came, text, packet.qos, packet.retain], [`${topic}/dead`, 'gone', 1, false]);
      assert.deepEqual(watcher.inbox.rest, []);
      await watcher.end();
    });

    test('a retained will waits for who asks later', async () => {
      const topic = unique('js/retained-will');
      const watcher = await open(unique('js'));
      await watcher.subscribe(topic);
      const dying = await open(unique('js'), { will: { topic, payload: 'offline', qos: 1, retain: true } });
      await dying.drop();
      assert.equal((await watcher.inbox.take('will')).packet.retain, false);
      await watcher.subscribe(topic);
      const kept = await watcher.inbox.take('retained will');
      assert.deepEqual([kept.text, kept.packet.retain], ['offline', true]);
      await watcher.end();
    });

    test('retained messages come for an exact filter only, the newest, until they are deleted', async () => {
      const topic = unique('js/retained');
      const client = await open(unique('js'));
      await client.publish(`${topic}/a`, 'old', { qos: 1, retain: true });
      await client.publish(`${topic}/a`, 'new', { qos: 1, retain: true });
      // A deviation of AWS's: nothing for wildcards, nothing for shared subscriptions.
      await client.subscribe([`${topic}/+`, `$share/${unique('group')}/${topic}/a`]);
      await client.subscribe(`${topic}/a`);
      const kept = await client.inbox.take('retained message');
      assert.deepEqual([kept.topic, kept.text, kept.packet.retain, kept.packet.qos], [`${topic}/a`, 'new', true, 1]);
      await client.publish(`${topic}/a`, '', { qos: 1, retain: true });
      // The deletion is told to all three subscriptions as an ordinary message.
      const told = await client.inbox.takeAll(3);
      assert.deepEqual(told.map((m) => [m.text, m.packet.retain]), Array(3).fill(['', false]));
      await client.subscribe(`${topic}/a`);
      await client.publish(`${topic}/b`, 'marker');
      assert.equal((await client.inbox.take()).text, 'marker');
      await client.end();
    });

    test('a shared subscription gives each message to one member', async () => {
      const topic = unique('js/shared');
      const group = unique('group');
      const members = [await open(unique('js')), await open(unique('js'))];
      const all = new Inbox();
      for (const member of members) {
        member.inbox = all;
        const [granted] = await member.subscribe(`$share/${group}/${topic}`);
        assert.equal(granted.qos, 1);
      }
      const publisher = await open(unique('js'));
      const sent = Array.from({ length: 40 }, (_, n) => `m${n}`);
      await Promise.all(sent.map((text) => publisher.publish(topic, text)));
      const got = (await all.takeAll(sent.length)).map((m) => m.text);
      assert.deepEqual(got.toSorted(), sent.toSorted());
      for (const client of [...members, publisher]) await client.end();
    });

    test('a persistent session keeps its subscriptions and its messages', async () => {
      const topic = unique('js/session');
      const id = unique('js');
      const first = await open(id, persistent);
      assert.equal(first.connack.sessionPresent, false);
      await first.subscribe(topic);
      await first.end();
      const publisher = await open(unique('js'));
      const sent = Array.from({ length: 20 }, (_, n) => `stored ${n}`);
      await publisher.publish(topic, 'QoS 0 is not stored', { qos: 0 });
      for (const text of sent) await publisher.publish(topic, text);
      const second = await open(id, persistent);
      assert.equal(second.connack.sessionPresent, true);
      assert.deepEqual((await second.inbox.takeAll(20)).map((m) => m.text), sent);
      await publisher.publish(topic, 'live');
      assert.equal((await second.inbox.take()).text, 'live');
      await second.end();
      const clean = await open(id, { clean: true });
      assert.equal(clean.connack.sessionPresent, false);
      await clean.end();
      assert.equal((await open(id, { ...persistent })).connack.sessionPresent, false);
      await publisher.end();
    });

    test('the second connection of a client id ends the first', async () => {
      const id = unique('js');
      const first = await open(id);
      const second = await open(id);
      await first.closed.wait();
      // MQTT 3.1.1 has no packet to say why.
      assert.equal(first.disconnect?.reasonCode, version === V5 ? 0x8e : undefined);
      await second.publish(unique('js/taken'), 'still here');
      await second.end();
    });

    describe('denied', () => {
      const base = unique('js/denied');
      let scoped;
      before(async () => {
        scoped = await server.createThing(unique(`scoped-v${version}`), policy(
          allow('iot:Connect', `${ARN}client/allowed-*`),
          allow(['iot:Publish', 'iot:Receive'], `${ARN}topic/${base}/*`),
          allow('iot:Subscribe', `${ARN}topicfilter/${base}/*`),
        ));
      });
      const openScoped = () => open(unique('allowed'), {}, scoped);

      test('CONNECT', async () => {
        const client = new Client(server, scoped, 'not-allowed', version);
        await client.closed.wait();
        if (version === V3) return assert.deepEqual(client.packets.rest, [], 'a CONNACK on 3.1.1');
        const connack = await client.packets.take('CONNACK');
        assert.equal(connack.reasonCode, 0x87);
        assert.match(connack.properties.reasonString, because('CONNACK', 'iot:Connect on client/not-allowed'));
      });

      test('SUBSCRIBE', async () => {
        const client = await openScoped();
        const subscribe = client.subscribe([`${base}/mine`, 'not/mine']);
        if (version === V3) {
          await assert.rejects(subscribe);
          await client.closed.wait();
          return;
        }
        await assert.rejects(subscribe, (error) => {
          assert.deepEqual(error.packet.granted, [1, 0x87]);
          assert.match(error.packet.properties.reasonString, because('SUBACK', 'iot:Subscribe on topicfilter/not/mine'));
          return true;
        });
        await client.publish(`${base}/mine`, 'the connection stays');
        assert.equal((await client.inbox.take()).text, 'the connection stays');
        await client.end();
      });

      test('PUBLISH with QoS 1', async () => {
        const client = await openScoped();
        const publish = client.publish('not/mine', 'no', { qos: 1 });
        if (version === V3) {
          publish.catch(() => {}); // it is never answered
          await client.closed.wait();
          return;
        }
        await assert.rejects(publish, { code: 0x87 });
        const puback = await client.packets.take('PUBACK');
        assert.match(puback.properties.reasonString, because('PUBACK', 'iot:Publish on topic/not/mine'));
        await client.publish(`${base}/mine`, 'the connection stays');
        await client.end();
      });

      test('PUBLISH with QoS 0', async () => {
        const client = await openScoped();
        await client.publish('not/mine', 'no', { qos: 0 });
        await client.closed.wait();
        if (version === V3) return;
        assert.equal(client.disconnect.reasonCode, 0x87);
        assert.match(client.disconnect.properties.reasonString, because('DISCONNECT', 'iot:Publish on topic/not/mine'));
      });

      test('a will', async () => {
        const client = new Client(server, scoped, 'allowed-will', version, {
          will: { topic: 'not/mine', payload: 'gone', qos: 1, retain: false },
        });
        await client.closed.wait();
        const codes = client.packets.rest.map((p) => p.reasonCode);
        assert.deepEqual(codes, version === V5 ? [0x87] : []);
      });

      test('RETAIN without iot:RetainPublish', async () => {
        const client = await openScoped();
        const publish = client.publish(`${base}/kept`, 'no', { qos: 1, retain: true });
        if (version === V3) {
          publish.catch(() => {});
          await client.closed.wait();
          return;
        }
        await assert.rejects(publish, { code: 0x87 });
        await client.end();
      });
    });
  });
}
