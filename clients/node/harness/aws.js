// AWS's SDK v3, and aws4, a signer that nobody at AWS wrote.

import { IoTClient } from '@aws-sdk/client-iot';
import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import aws4 from 'aws4';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import https from 'node:https';

export const REGION = 'us-east-1';

/** What a client of any service is set up with. */
export const clientOptions = (server, credentials) => setUp(server, credentials, {});

/** A client of the data plane that tries once, so that a test sees the first answer. */
export async function dataPlane(server, credentials, options = {}) {
  return new IoTDataPlaneClient(await setUp(server, credentials, options));
}

/** A client of the control plane, of the same kind, which keeps its connections. */
export async function controlPlane(server, credentials, options = {}) {
  return new IoTClient(await setUp(server, credentials, options, true));
}

async function setUp(server, credentials, options, keepAlive = false) {
  return {
    region: REGION, endpoint: server.url(), credentials: credentials ?? (await server.keys()), maxAttempts: 1,
    requestHandler: { httpsAgent: new https.Agent({ ca: readFileSync(server.ca), keepAlive }) }, ...options,
  };
}

/** That a call was refused by this error, with words and a request id. */
export function refused(name, status, message = /./) {
  return (error) => {
    assert.equal(error.name, name);
    assert.equal(error.$metadata.httpStatusCode, status);
    assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
    assert.match(error.message, message);
    return true;
  };
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }) {
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** Credentials of STS, asked for with a request that aws4 signed. */
export async function sessionOf(server) {
  const body = 'Action=GetSessionToken&Version=2011-06-15&DurationSeconds=900';
  const request = aws4.sign(
    { service: 'sts', region: REGION, method: 'POST', path: '/', host: `localhost:${server.port('api')}`, body },
    credentialsOf(await server.keys()),
  );
  const text = await send(server, request, body);
  const value = (name) => new RegExp(`<${name}>(.*)</${name}>`).exec(text)[1];
  return { accessKeyId: value('AccessKeyId'), secretAccessKey: value('SecretAccessKey'), sessionToken: value('SessionToken') };
}

function send(server, { method, path, headers }, body) {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: server.port('api'), method, path, headers, ca: readFileSync(server.ca), agent: false };
    const request = https.request(options, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`${response.statusCode}: ${text}`));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A URL for MQTT over WebSocket. A session's token is signed with everything else, or stands behind the signature, as AWS
 * IoT has it. */
export function presigned(server, keys, { listener = 'api', service = 'iotdevicegateway', token = 'behind' } = {}) {
  const { sessionToken, ...longTerm } = credentialsOf(keys);
  const signing = sessionToken && token === 'signed' ? { ...longTerm, sessionToken } : longTerm;
  const host = `localhost:${server.port(listener)}`;
  const { path } = aws4.sign({ service, region: REGION, host, path: '/mqtt', signQuery: true }, signing);
  const behind = sessionToken && token === 'behind' ? `&X-Amz-Security-Token=${encodeURIComponent(sessionToken)}` : '';
  return `wss://${host}${path}${behind}`;
}
