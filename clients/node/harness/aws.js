// AWS's SDK v3, and aws4, a signer that nobody at AWS wrote.

import { IoTDataPlaneClient } from '@aws-sdk/client-iot-data-plane';
import aws4 from 'aws4';
import { readFileSync } from 'node:fs';
import https from 'node:https';

export const REGION = 'us-east-1';

/** What a client of any service is set up with. It tries once, so that a test sees the first answer. */
export async function clientOptions(server, credentials) {
  return {
    region: REGION, endpoint: server.url(), credentials: credentials ?? (await server.keys()), maxAttempts: 1,
    requestHandler: { httpsAgent: new https.Agent({ ca: readFileSync(server.ca), keepAlive: false }) },
  };
}

/** A client of the data plane. */
export async function dataPlane(server, credentials, options = {}) {
  return new IoTDataPlaneClient({ ...(await clientOptions(server, credentials)), ...options });
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
