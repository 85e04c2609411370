// The AWS IoT Device SDK v1 for JavaScript over WebSocket. It takes no CA: the process has to be started with one, in
// NODE_EXTRA_CA_CERTS. Prints what it receives, a JSON text a line, and ends.

const { device } = require('aws-iot-device-sdk');

const { host, port, clientId, topic, keys, messages } = JSON.parse(process.argv[2]);
const client = device({
  protocol: 'wss', host, port, clientId, region: 'us-east-1', reconnectPeriod: 0,
  accessKeyId: keys.accessKeyId, secretKey: keys.secretAccessKey, sessionToken: keys.sessionToken ?? '',
});
let left = messages.length;
client.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
client.on('close', () => {
  console.error('closed');
  process.exit(left ? 1 : 0);
});
client.on('message', (from, payload) => {
  console.log(JSON.stringify([from, payload.toString()]));
  if (--left === 0) client.end(false);
});
client.on('connect', () => {
  client.subscribe(topic, { qos: 1 }, (error, [granted]) => {
    if (error || granted.qos !== 1) throw error ?? new Error(`granted ${granted.qos}`);
    for (const message of messages) client.publish(topic, message, { qos: 1 });
  });
});
