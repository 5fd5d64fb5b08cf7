#!/usr/bin/env node
/*
 * tools/bench-browser.js FANLIGHT SECONDS ROUNDS
 *
 * How old a picture is when a browser shows it: from the moment of capture, which the test pattern
 * bears as a stamp, until it stands in the memory of the screen of an X server, looked at every
 * millisecond; which treats all browsers alike and all ways in which the page shows pictures, each
 * in the same place: the live transport, with a worker where the page wants one and without, and an
 * <img> of the stream, in both layouts. The ways take turns at being first in a fresh browser each
 * round. Prints the figures, medians over the rounds, as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { checkStamp, launch, openPage, picture, seesAdvancing }
  from '../tests/browser/browsers.js';
import { Fanlight } from '../tests/browser/fanlight.js';
import { until } from '../tests/browser/tap.js';
import { percentile } from '../src/viewer/age.js';

const BROWSERS = ['chromium', 'firefox'];
// For a second after a page has loaded Firefox holds each picture back until the screen's next.
const SETTLE_MS = 2000;
const STEADY = 5; // pictures seen, until they count
const WIDTH = 1280;
const OLD_MS = 10000; // no picture is so old; it is something else that looks like a stamp

/* What to do without or otherwise in a browser, so that the page shows its pictures in this way. */
const WAYS = {
  'live': () => {},
  'live, no worker': () => delete window.Worker,
  'img early': () => delete window.ReadableStream,
  'img classic': () => {
    const { prototype } = HTMLImageElement;
    const { set } = Object.getOwnPropertyDescriptor(prototype, 'src');

    delete window.ReadableStream;
    Object.defineProperty(prototype, 'src', { set(url) {
      set.call(this, `${url}&layout=classic`);
    } });
  },
};

/* An X server without any device, whose screen is a file in the format of xwd. */
class Screen {
  #folder;
  #server;
  #file;
  #pixels; // where they begin
  #stride;

  async start() {
    this.#folder = await mkdtemp(path.join(tmpdir(), 'fanlight-screen-'));
    this.#server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-fbdir',
      this.#folder, '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const [number] = await once(this.#server.stdio[3], 'data');
    const header = Buffer.alloc(100);

    this.display = `:${String(number).trim()}`;
    this.#file = openSync(path.join(this.#folder, 'Xvfb_screen0'));
    readSync(this.#file, header, 0, header.length, 0);
    this.#pixels = header.readUInt32BE(0) + 12 * header.readUInt32BE(19 * 4); // after the colours
    this.#stride = header.readUInt32BE(12 * 4);
  }

  async stop() {
    if (this.#server?.kill())
      await once(this.#server, 'exit');
    if (this.#file !== undefined)
      closeSync(this.#file);
    if (this.#folder)
      await rm(this.#folder, { recursive: true });
  }

  /* The stamp of a picture that is there and so large, as readStamp() does. */
  readStamp({ left, top, scale }) {
    const middle = (block) => Math.floor((block * 8 + 4) * scale);
    const row = Buffer.alloc(16 * 8 * 4);
    const bytes = Array(10).fill(0);

    for (let i = 0; i < 80; i++) {
      if (i % 16 === 0)
        readSync(this.#file, row, 0, row.length, this.#pixels +
          (Math.floor(top) + middle(i / 16)) * this.#stride + Math.floor(left) * 4);
      bytes[i >> 3] = bytes[i >> 3] << 1 | (row[middle(i % 16) * 4 + 1] > 127);
    }
    const stamp = checkStamp(bytes);

    return stamp && Math.abs(ageOf(stamp)) < OLD_MS ? stamp : undefined;
  }
}

/* Where on the screen the page's picture is, and by how much it is scaled. */
function findPicture(selector, width) {
  const box = document.querySelector(selector).getBoundingClientRect();
  const left = window.mozInnerScreenX ?? screenX + (outerWidth - innerWidth) / 2;
  const top = window.mozInnerScreenY ?? screenY + outerHeight - innerHeight;

  return { left: left + box.left, top: top + box.top, scale: box.width / width };
}

/* How old, ms, what bears this stamp is; both clocks are the monotonic one of this machine. */
function ageOf(stamp) {
  return Number(process.hrtime.bigint() - stamp) / 1e6;
}

/* Wait until there are newer and newer pictures: a browser needs a while to draw in a new page. */
async function seesThem(place) {
  let last = 0n, seen = 0;

  await until('pictures that advance on the screen', () => {
    const stamp = screen.readStamp(place);

    if (stamp > last)
      [last, seen] = [stamp, seen + 1];
    return seen >= STEADY;
  });
  return last;
}

/* The age, ms, of each picture that the screen shows for so long. */
async function watch(page, seconds) {
  const place = await page.evaluate(findPicture, picture(1), WIDTH);
  const ages = [];
  let last = await seesThem(place);

  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(1)) {
    const stamp = screen.readStamp(place);

    if (stamp && stamp !== last)
      ages.push(ageOf(stamp));
    last = stamp ?? last;
  }
  return ages.sort((a, b) => a - b);
}

async function measure(browser, way, seconds) {
  const page = await openPage(browser);

  await page.evaluateOnNewDocument(WAYS[way]);
  await page.goto(fanlight.url('https'));
  await seesAdvancing(page, picture(1));
  await sleep(SETTLE_MS);
  const ages = await watch(page, seconds);

  if (!ages.length)
    throw new Error(`the screen showed no new picture for ${seconds} s`);
  await page.close();
  return { 'age p50': percentile(ages, .5), 'age p95': percentile(ages, .95),
    pictures: ages.length };
}

function median(numbers) {
  return percentile(numbers.sort((a, b) => a - b), .5);
}

const [program, seconds, rounds] = process.argv.slice(2);
// Displays show sixty pictures a second. Of a rate that divides that, each run would meet them at
// a moment of its own; this one passes through all.
const fanlight = new Fanlight(program, { camera: { size: `${WIDTH}x720`, fps: 29 } });
const screen = new Screen();
const ways = Object.keys(WAYS);
const results = {};

try {
  await fanlight.start();
  await screen.start();
  for (let i = 0; i < Number(rounds); i++)
    for (const name of BROWSERS) {
      const browser = await launch(name, screen.display);

      try {
        for (const way of [...ways.slice(i % ways.length), ...ways.slice(0, i % ways.length)])
          (results[`${name}, ${way}`] ??= []).push(await measure(browser, way, Number(seconds))
            .catch((cause) => {
              throw new Error(`${name}, ${way}: ${cause.message}`, { cause });
            }));
      } finally {
        await browser.close();
      }
    }
  await fanlight.stop();
} finally {
  await screen.stop();
  await fanlight.remove();
}
console.log(JSON.stringify(Object.fromEntries(Object.entries(results).map(([way, all]) =>
  [way, Object.fromEntries(Object.keys(all[0]).map((figure) =>
    [figure, median(all.map((one) => one[figure]))]))]))));
