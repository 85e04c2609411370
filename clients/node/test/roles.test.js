// AWS's SDK v3 for JavaScript: credentials that it takes of a role by itself, and renews.

import { CreateRoleCommand, DeleteRoleCommand, DeleteRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { PublishCommand } from '@aws-sdk/client-iot-data-plane';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { REGION, clientOptions, dataPlane } from '../harness/aws.js';
import { Client, V5 } from '../harness/mqttjs.js';
import { ARN, Server, allow, policy } from '../harness/server.js';
import { unique } from '../harness/wait.js';

let server;
let thing;
let iam;
before(async () => {
  server = await Server.start();
  thing = await server.createThing('everything');
  iam = new IAMClient(await clientOptions(server));
});
after(async () => {
  iam.destroy();
  await server.stop();
});

const TRUST = {
  Version: '2012-10-17',
  Statement: [{
    Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: 'arn:aws:iam::000000000000:root' },
    Condition: { StringEquals: { 'sts:ExternalId': 'ours' } },
  }],
};

/** A role that may publish to the topic sigfox, for who knows the external id. */
async function createRole() {
  const RoleName = unique('js-role');
  const { Role } = await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(TRUST) }));
  const PolicyDocument = JSON.stringify(policy(allow('iot:Publish', `${ARN}topic/sigfox`)));
  await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: 'p', PolicyDocument }));
  return Role;
}

/** The data plane with whatever credentials the SDK takes of the role. */
async function asRole(role, ExternalId) {
  const options = await clientOptions(server);
  return dataPlane(server, fromTemporaryCredentials({
    masterCredentials: options.credentials, clientConfig: { ...options, region: REGION },
    params: { RoleArn: role.Arn, RoleSessionName: 'js-1', ExternalId, DurationSeconds: 900 },
  }));
}

test('publishes with a session of a role, and nowhere else', async () => {
  const role = await createRole();
  const data = await asRole(role, 'ours');
  const device = await Client.open(server, thing, unique('device'), V5);
  await device.subscribe('sigfox');
  await data.send(new PublishCommand({ topic: 'sigfox', qos: 1, payload: '{"temperature":"25.1"}' }));
  const { packet } = await device.inbox.take();
  assert.equal(packet.payload.toString(), '{"temperature":"25.1"}');
  await assert.rejects(data.send(new PublishCommand({ topic: 'elsewhere', payload: 'x' })), { name: 'ForbiddenException' });
  await iam.send(new DeleteRolePolicyCommand({ RoleName: role.RoleName, PolicyName: 'p' }));
  await assert.rejects(data.send(new PublishCommand({ topic: 'sigfox', payload: 'x' })), { name: 'ForbiddenException' });
  await iam.send(new DeleteRoleCommand({ RoleName: role.RoleName }));
  await assert.rejects(data.send(new PublishCommand({ topic: 'sigfox', payload: 'x' })), { name: 'UnauthorizedException' });
  data.destroy();
});

test('gets no session with the wrong external id', async () => {
  const role = await createRole();
  const data = await asRole(role, 'theirs');
  await assert.rejects(data.send(new PublishCommand({ topic: 'sigfox', payload: 'x' })), (error) => {
    assert.equal(error.name, 'AccessDenied');
    assert.match(error.message, new RegExp(`is not authorized to perform: sts:AssumeRole on resource: ${role.Arn}`));
    return true;
  });
  data.destroy();
});
