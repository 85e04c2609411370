// A real `thingwire serve` on a data directory of its own, and what a test asks of it from outside.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Once, within } from './wait.js';

const BINARY = process.env.THINGWIRE ?? 'thingwire';
export const ENDPOINT = 'localhost'; // a name of the server's certificate
export const ARN = 'arn:aws:iot:us-east-1:000000000000:';

const LISTENERS = {
  mqtts: '127.0.0.1:8883', // where the SDK goes by itself
  https: '127.0.0.1:0',
  api: '127.0.0.1:0',
  console: '127.0.0.1:0',
  // The SDK sets ALPN only where the port's number is 443.
  shared: '127.0.0.1:443',
};

export class Server {
  static async start(...flags) {
    const server = new Server();
    server.folder = await mkdtemp(path.join(tmpdir(), 'thingwire-node-'));
    server.data = path.join(server.folder, 'data');
    server.things = path.join(server.folder, 'things');
    await mkdir(server.things);
    const argv = ['serve', '--data-dir', server.data, ...flags];
    for (const [name, address] of Object.entries(LISTENERS)) argv.push(`--listen-${name}`, address);
    server.child = spawn(BINARY, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    server.lines = [];
    const ready = new Once('line "ready"');
    server.ended = new Once('end of the server');
    for (const stream of [server.child.stdout, server.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        server.lines.push(line);
        if (line.startsWith('ready')) ready.fire();
      });
    }
    server.child.on('exit', (code) => server.ended.fire(code));
    try {
      await Promise.race([ready.wait(), server.ended.promise.then(() => Promise.reject(new Error('it ended')))]);
      server.endpoints = JSON.parse(await readFile(path.join(server.data, 'endpoints.json'), 'utf8'));
    } catch (e) {
      server.child.kill('SIGKILL');
      throw new Error(`thingwire serve: ${e.message}; it printed:\n${server.lines.join('\n')}`);
    }
    return server;
  }

  /** Asks the server to stop and expects it to do so in order. */
  async stop() {
    this.child.kill('SIGTERM');
    const code = await this.ended.wait();
    await rm(this.folder, { recursive: true });
    if (code !== 0) throw new Error(`serve ended with ${code}:\n${this.lines.join('\n')}`);
  }

  port(listener) {
    return Number(this.endpoints[listener].split(':').at(-1));
  }

  /** What a client of AWS's takes for an endpoint. */
  url(listener = 'api') {
    return `https://${ENDPOINT}:${this.port(listener)}`;
  }

  /** The file that clients of this server trust. */
  get ca() {
    return path.join(this.data, 'ca.pem');
  }

  /** The access key of the first start, which may do everything, as AWS's SDKs take it. */
  async keys() {
    const text = await readFile(path.join(this.data, 'credentials'), 'utf8');
    const value = (name) => new RegExp(`^${name} *= *(.*)$`, 'm').exec(text)[1].trim();
    return { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') };
  }

  /** Runs a verb of the command line against this server and returns what it printed. */
  async run(...args) {
    const run = promisify(execFile)(BINARY, [...args, '--data-dir', this.data], { cwd: this.folder });
    return (await within(run, `end of thingwire ${args[0]}`)).stdout;
  }

  /** A thing with certificate and policy; policy is a built-in name, a document, or nothing for the default. */
  async createThing(name, policy) {
    const args = ['thing', 'create', name, '--out', this.things];
    if (typeof policy === 'object') {
      const file = path.join(this.things, `${name}.policy.json`);
      await writeFile(file, JSON.stringify(policy));
      args.push('--policy', file);
    } else if (policy) {
      args.push('--policy', policy);
    }
    await this.run(...args);
    const file = (suffix) => path.join(this.things, suffix);
    return { name, cert: file(`${name}.cert.pem`), key: file(`${name}.private.key`), ca: file('root-CA.pem') };
  }
}

export function policy(...statements) {
  return { Version: '2012-10-17', Statement: statements };
}

export function allow(actions, resources) {
  return { Effect: 'Allow', Action: actions, Resource: resources };
}
