// AWS's SDK v3 for JavaScript: the control plane, in short. The whole of it is told by boto3 and the SDK for Go.

import {
  AddThingToThingGroupCommand, AttachPolicyCommand, AttachThingPrincipalCommand, CreateCertificateFromCsrCommand, CreatePolicyCommand,
  CreatePolicyVersionCommand, CreateThingCommand, CreateThingGroupCommand, CreateThingTypeCommand, DeleteCertificateCommand,
  DeletePolicyCommand, DeletePolicyVersionCommand, DeleteThingCommand, DeleteThingTypeCommand, DescribeCertificateCommand,
  DescribeEndpointCommand, DescribeThingCommand, DescribeThingGroupCommand, DetachPolicyCommand, DetachThingPrincipalCommand,
  GetPolicyCommand, GetThingConnectivityDataCommand, GetV2LoggingOptionsCommand, IoTServiceException, ListAttachedPoliciesCommand,
  ListPrincipalThingsCommand, ListTargetsForPolicyCommand, ListThingPrincipalsV2Command, ListTopicRulesCommand,
  RegisterCertificateWithoutCACommand, ResourceAlreadyExistsException, ResourceNotFoundException, SetDefaultPolicyVersionCommand,
  TestAuthorizationCommand, UpdateCertificateCommand, UpdateThingCommand, VersionConflictException, VersionsLimitExceededException,
  paginateListThings, paginateListTargetsForPolicy,
} from '@aws-sdk/client-iot';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { controlPlane, refused } from '../harness/aws.js';
import { Client, V5 } from '../harness/mqttjs.js';
import { ARN, Server, allow, policy } from '../harness/server.js';
import { unique } from '../harness/wait.js';

const DOCUMENT = JSON.stringify(policy(allow('iot:*', '*')));

let server;
let iot;
before(async () => {
  server = await Server.start();
  iot = await controlPlane(server);
});
after(async () => {
  iot.destroy();
  await server.stop();
});

const call = (Command, input = {}) => iot.send(new Command(input));

/** A device's own key, made by openssl, and what it sends to get a certificate. */
function signingRequest(name) {
  const key = path.join(server.things, `${name}.private.key`);
  execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key]);
  return { key, csr: execFileSync('openssl', ['req', '-new', '-key', key, '-subj', `/CN=${name}`]).toString() };
}

test('the life of a thing, its type and its group', async () => {
  const name = unique('js-thing');
  await call(CreateThingTypeCommand, { thingTypeName: name, thingTypeProperties: { searchableAttributes: ['room'] } });
  const made = await call(CreateThingCommand, {
    thingName: name, thingTypeName: name, attributePayload: { attributes: { room: 'kitchen' } },
  });
  assert.equal(made.thingArn, `${ARN}thing/${name}`);
  await call(UpdateThingCommand, { thingName: name, expectedVersion: 1, attributePayload: { attributes: { watt: '7' }, merge: true } });
  const seen = await call(DescribeThingCommand, { thingName: name });
  assert.deepEqual([seen.version, seen.thingId, seen.attributes], [2, made.thingId, { room: 'kitchen', watt: '7' }]);

  const group = unique('js-group');
  await call(CreateThingGroupCommand, { thingGroupName: group, tags: [{ Key: 'team', Value: 'light' }] });
  await call(AddThingToThingGroupCommand, { thingName: name, thingGroupArn: `${ARN}thinggroup/${group}` });
  const described = await call(DescribeThingGroupCommand, { thingGroupName: group });
  assert.ok(Math.abs(described.thingGroupMetadata.creationDate - Date.now()) < 60_000);

  await call(DeleteThingCommand, { thingName: name, expectedVersion: 2 });
  await assert.rejects(call(DescribeThingCommand, { thingName: name }), ResourceNotFoundException);
});

test('a certificate of a CSR, its attachments in both directions, and the device that comes and is sent away', async () => {
  const name = unique('js-csr');
  const { key, csr } = signingRequest(name);
  const { certificateArn, certificateId, certificatePem } = await call(CreateCertificateFromCsrCommand, {
    certificateSigningRequest: csr, setAsActive: true,
  });
  await call(CreateThingCommand, { thingName: name });
  await call(CreatePolicyCommand, { policyName: name, policyDocument: DOCUMENT });
  await call(AttachThingPrincipalCommand, { thingName: name, principal: certificateArn, thingPrincipalType: 'EXCLUSIVE_THING' });
  await call(AttachPolicyCommand, { policyName: name, target: certificateArn });
  assert.deepEqual((await call(ListThingPrincipalsV2Command, { thingName: name })).thingPrincipalObjects, [
    { principal: certificateArn, thingPrincipalType: 'EXCLUSIVE_THING' },
  ]);
  assert.deepEqual((await call(ListPrincipalThingsCommand, { principal: certificateArn })).things, [name]);
  assert.deepEqual((await call(ListAttachedPoliciesCommand, { target: certificateArn })).policies, [
    { policyName: name, policyArn: `${ARN}policy/${name}` },
  ]);
  assert.deepEqual((await call(ListTargetsForPolicyCommand, { policyName: name })).targets, [certificateArn]);
  const { authResults } = await call(TestAuthorizationCommand, {
    principal: certificateArn, authInfos: [{ actionType: 'PUBLISH', resources: [`${ARN}topic/a`] }],
  });
  assert.deepEqual([authResults[0].authDecision, authResults[0].allowed.policies[0].policyName], ['ALLOWED', name]);

  const cert = path.join(server.things, `${name}.cert.pem`);
  writeFileSync(cert, certificatePem);
  const device = await Client.open(server, { name, cert, key, ca: server.ca }, name, V5);
  const connected = await call(GetThingConnectivityDataCommand, { thingName: name, includeSocketInformation: true });
  assert.deepEqual([connected.connected, connected.disconnectReason, connected.sourceIp], [true, 'NONE', '127.0.0.1']);
  assert.ok(connected.timestamp instanceof Date && Math.abs(connected.timestamp - Date.now()) < 60_000);
  await call(UpdateCertificateCommand, { certificateId, newStatus: 'INACTIVE' });
  const answered = Date.now();
  await device.closed.wait();
  assert.ok(Date.now() - answered < 1000);
  await device.end();

  const { certificateDescription } = await call(DescribeCertificateCommand, { certificateId });
  assert.deepEqual([certificateDescription.status, certificateDescription.validity.notAfter.getUTCFullYear()], ['INACTIVE', 2049]);
  await assert.rejects(call(DeleteCertificateCommand, { certificateId }), refused('DeleteConflictException', 409));
  await call(DetachThingPrincipalCommand, { thingName: name, principal: certificateArn });
  await call(DetachPolicyCommand, { policyName: name, target: certificateArn });
  await call(DeleteCertificateCommand, { certificateId });
  await call(DeletePolicyCommand, { policyName: name });
});

test('a policy through five versions', async () => {
  const policyName = unique('js-policy');
  await call(CreatePolicyCommand, { policyName, policyDocument: DOCUMENT });
  for (let n = 2; n <= 5; n++) {
    const made = await call(CreatePolicyVersionCommand, { policyName, policyDocument: DOCUMENT, setAsDefault: n === 5 });
    assert.deepEqual([made.policyVersionId, made.isDefaultVersion], [String(n), n === 5]);
  }
  await assert.rejects(call(CreatePolicyVersionCommand, { policyName, policyDocument: DOCUMENT }), VersionsLimitExceededException);
  await call(SetDefaultPolicyVersionCommand, { policyName, policyVersionId: '1' });
  const now = await call(GetPolicyCommand, { policyName });
  assert.deepEqual([now.defaultVersionId, now.policyDocument], ['1', DOCUMENT]);
  assert.ok(now.lastModifiedDate >= now.creationDate);
  for (let n = 2; n <= 5; n++) await call(DeletePolicyVersionCommand, { policyName, policyVersionId: String(n) });
  await call(DeletePolicyCommand, { policyName });
});

test('the paginators of both families, one of them over 300 things', async () => {
  const [many, policyName] = [unique('js-many'), unique('js-many')];
  const names = Array.from({ length: 300 }, (_, n) => `${many}-${String(n).padStart(3, '0')}`);
  await call(CreatePolicyCommand, { policyName, policyDocument: DOCUMENT });
  const groups = names.slice(0, 50);
  for (const thingName of names) await call(CreateThingCommand, { thingName, attributePayload: { attributes: { many } } });
  for (const thingGroupName of groups) {
    await call(CreateThingGroupCommand, { thingGroupName });
    await call(AttachPolicyCommand, { policyName, target: `${ARN}thinggroup/${thingGroupName}` });
  }
  for (const pageSize of [7, 250]) {
    const things = [];
    for await (const page of paginateListThings({ client: iot, pageSize }, { attributeName: 'many', attributeValue: many })) {
      assert.ok(page.things.length <= pageSize);
      things.push(...page.things.map((thing) => thing.thingName));
    }
    assert.deepEqual(things, names);
    const targets = [];
    for await (const page of paginateListTargetsForPolicy({ client: iot, pageSize }, { policyName })) targets.push(...page.targets);
    assert.deepEqual(targets.sort(), groups.map((name) => `${ARN}thinggroup/${name}`));
  }
});

test('errors are classes of the SDK', async () => {
  const thingName = unique('js-errors');
  const { thingId, thingArn } = await call(CreateThingCommand, { thingName });
  await assert.rejects(call(CreateThingCommand, { thingName, attributePayload: { attributes: { a: 'b' } } }), (error) => {
    assert.ok(error instanceof ResourceAlreadyExistsException && error instanceof IoTServiceException);
    assert.deepEqual([error.resourceId, error.resourceArn], [thingId, thingArn]);
    return refused('ResourceAlreadyExistsException', 409)(error);
  });
  await assert.rejects(call(UpdateThingCommand, { thingName, expectedVersion: 7 }), VersionConflictException);
  const { certificateArn, certificateId } = await call(RegisterCertificateWithoutCACommand, {
    certificatePem: readFileSync(server.ca, 'utf8'), status: 'ACTIVE',
  });
  for (const [Command, input, name, status] of [
    [CreateThingCommand, { thingName: 'a b' }, 'InvalidRequestException', 400],
    [DescribeThingCommand, { thingName: 'none' }, 'ResourceNotFoundException', 404],
    [CreatePolicyCommand, { policyName: 'p', policyDocument: '{' }, 'MalformedPolicyException', 400],
    [DeleteCertificateCommand, { certificateId }, 'CertificateStateException', 406],
    [RegisterCertificateWithoutCACommand, { certificatePem: 'hello' }, 'CertificateValidationException', 400],
    [AttachPolicyCommand, { policyName: 'none', target: certificateArn }, 'ResourceNotFoundException', 404],
    [DeleteThingTypeCommand, { thingTypeName: 'none' }, 'ResourceNotFoundException', 404],
    [GetV2LoggingOptionsCommand, {}, 'NotConfiguredException', 404],
    [ListTopicRulesCommand, {}, 'NotImplementedException', 501],
  ]) {
    await assert.rejects(call(Command, input), refused(name, status), Command.name);
  }
  const stranger = await controlPlane(server, { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' });
  await assert.rejects(stranger.send(new DescribeEndpointCommand({})), refused('UnrecognizedClientException', 403));
  stranger.destroy();
});

test('an endpoint is a name', async () => {
  assert.equal((await call(DescribeEndpointCommand, { endpointType: 'iot:Data-ATS' })).endpointAddress, 'localhost');
});
