/* A real Fanlight with test pattern cameras, and a relay that listens on the way to it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { until } from './tap.js';

const CAMERA = { source: 'pattern', size: '640x360', fps: 15 };

export class Fanlight {
  #program;
  #cameras;
  #passwords;
  #folder;
  #child;
  #log;
  #ports = { http: 0, https: 0 };

  /*
   * cameras: the settings of each by its name, where they are not the usual ones.
   * passwords: of the accounts that may watch, by their names; where there are none, everybody may.
   */
  constructor(program, cameras, passwords = {}) {
    this.#program = program;
    this.#cameras = cameras;
    this.#passwords = Object.entries(passwords);
  }

  /* Start; again after stop(), on the same ports. */
  async start() {
    this.#folder ??= await mkdtemp(path.join(tmpdir(), 'fanlight-browser-'));
    const settings = path.join(this.#folder, 'fanlight.conf');
    const accounts = path.join(this.#folder, 'accounts');

    await writeFile(settings, Object.entries(this.#cameras).map(([name, camera]) =>
      [`[camera ${name}]`, ...Object.entries({ ...CAMERA, ...camera }).map((setting) =>
        setting.join(' = ')), ''].join('\n')).join('\n'));
    for (const [name, password] of this.#passwords)
      execFileSync(this.#program, ['passwd', '--view', accounts, name], { input: password });
    this.#log = '';
    this.#child = spawn(this.#program, ['--config', settings, '--state-dir', this.#folder,
      '--http', `127.0.0.1:${this.#ports.http}`, '--https', `127.0.0.1:${this.#ports.https}`,
      ...this.#passwords.length ? ['--accounts', accounts] : []],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => this.#log += text);
    await until('the URLs in the log', () => {
      if (!this.#isRunning())
        throw new Error(`fanlight ended:\n${this.#log}`);
      return ['http', 'https'].every((scheme) => this.#readPort(scheme));
    });
  }

  /* Stop as a service manager would. */
  async stop() {
    if (!this.#isRunning())
      throw new Error(`fanlight does not run:\n${this.#log}`);
    const gone = once(this.#child, 'exit');

    this.#child.kill('SIGTERM');
    const [code, signal] = await gone;
    if (code !== 0)
      throw new Error(`fanlight ended with ${code ?? signal}:\n${this.#log}`);
  }

  /* End it as a crash would. */
  async kill() {
    const gone = once(this.#child, 'exit');

    this.#child.kill('SIGKILL');
    await gone;
  }

  /* Neither alive nor gone, until thaw(). */
  freeze() {
    this.#child.kill('SIGSTOP');
  }

  thaw() {
    this.#child.kill('SIGCONT');
  }

  /* Whatever the tests left of it. */
  async remove() {
    if (this.#isRunning())
      await this.kill();
    if (this.#folder)
      await rm(this.#folder, { recursive: true, force: true });
  }

  url(scheme) {
    return `${scheme}://127.0.0.1:${this.#ports[scheme]}/`;
  }

  port(scheme) {
    return this.#ports[scheme];
  }

  /* The clients that /state tells of, all cameras together. */
  async clients() {
    return (await this.#cameraStates()).flatMap((camera) => camera.clients);
  }

  /* The names of the cameras that have any, in one word. */
  async watched() {
    return (await this.#cameraStates()).filter((camera) => camera.clients.length)
      .map((camera) => camera.name).join('');
  }

  /* Wait until there are so many. */
  async hasClients(n) {
    await until(`${n} clients in /state`, async () => (await this.clients()).length === n);
  }

  /* Wait until it has no clients, if it runs. */
  async isLeft() {
    if (this.#isRunning())
      await this.hasClients(0);
  }

  /* Wait until viewers have told that they drew so many pictures, all cameras together. */
  async hasDrawn(n) {
    await until(`${n} drawn pictures in /state`, async () => await this.drawn() >= n);
  }

  /* How many pictures viewers have drawn, all cameras together. */
  async drawn() {
    return this.#sum('drawn');
  }

  /* How many of those they have told of, and all viewers before them. */
  async reports() {
    const metrics = await (await fetch(`${this.url('http')}metrics`)).text();
    const counts = metrics.matchAll(/^fanlight_capture_to_drawn_seconds_count\{.*\} (\d+)$/gm);

    return Array.from(counts, ([, count]) => Number(count)).reduce((a, b) => a + b, 0);
  }

  /* Wait until viewers have been sent so many. */
  async hasSent(n, deadlineMs) {
    await until(`${n} sent pictures in /state`, async () => await this.#sum('frames') >= n,
      deadlineMs);
  }

  /* Of what /state tells of each client, all cameras together. */
  async #sum(what) {
    return (await this.clients()).reduce((sum, client) => sum + (client[what] ?? 0), 0);
  }

  async #cameraStates() {
    return (await (await fetch(`${this.url('http')}state`)).json()).cameras;
  }

  #isRunning() {
    return this.#child && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #readPort(scheme) {
    const url = new RegExp(`\\b${scheme}://127\\.0\\.0\\.1:(\\d+)`).exec(this.#log);

    if (url)
      this.#ports[scheme] = Number(url[1]);
    return url;
  }
}

/* A port of 127.0.0.1 that leads to another one; what is said through it is kept. */
export class Relay {
  asked = '';
  answered = '';
  #server;
  #sockets = new Set();

  async open(port) {
    this.#server = net.createServer((client) => {
      const upstream = net.connect(port, '127.0.0.1');

      client.on('data', (bytes) => this.asked += bytes.toString('latin1'));
      upstream.on('data', (bytes) => this.answered += bytes.toString('latin1'));
      for (const [socket, other] of [[client, upstream], [upstream, client]]) {
        this.#sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => other.destroy());
        socket.pipe(other);
      }
    });
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
  }

  url() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  /* Cut every connection there is; new ones are welcome. */
  cut() {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#sockets.clear();
  }

  close() {
    this.#server?.close();
    this.cut();
  }
}
