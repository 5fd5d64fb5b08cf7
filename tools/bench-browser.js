#!/usr/bin/env node
/*
 * tools/bench-browser.js FANLIGHT SECONDS ROUNDS
 *
 * How old a picture is when a browser shows it: from the moment of capture, which the test pattern
 * bears as a stamp, until it stands in the memory of the screen of an X server, looked at every
 * millisecond; which treats all browsers alike and all ways: the page's live transport, with a
 * worker where the page wants one and without, and an <img>, in both layouts. The ways take turns,
 * in a fresh browser each round, and so they do at being the first in it, which is busy with its own
 * start. Prints the figures, medians over the rounds, as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { checkStamp, launch, openBareImage, openPage, picture, seesAdvancing }
  from '../tests/browser/browsers.js';
import { Fanlight } from '../tests/browser/fanlight.js';
import { until } from '../tests/browser/tap.js';
import { percentile } from '../src/viewer/age.js';

const BROWSERS = ['chromium', 'firefox'];
const STEADY = 5; // pictures seen at one place: that is where they are
const OLD_MS = 10000; // no picture is so old; it is something else that looks like a stamp
const WAYS = {
  'live': async (browser, url) => [await openLive(browser, url), picture(1)],
  'live, no worker': async (browser, url) =>
    [await openLive(browser, url, () => delete window.Worker), picture(1)],
  'img early': async (browser, url) => [await openBareImage(browser, url, 'early'), 'img'],
  'img classic': async (browser, url) => [await openBareImage(browser, url, 'classic'), 'img'],
};

async function openLive(browser, url, prepare = () => {}) {
  const page = await openPage(browser);

  await page.evaluateOnNewDocument(prepare);
  await page.goto(url);
  await seesAdvancing(page, picture(1));
  return page;
}

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

  /* The stamp whose corner is there, as readStamp() does. */
  readStamp(left, top) {
    const row = Buffer.alloc(16 * 8 * 4);
    const bytes = Array(10).fill(0);

    for (let i = 0; i < 80; i++) {
      if (i % 16 === 0)
        readSync(this.#file, row, 0, row.length,
          this.#pixels + (top + i / 2 + 4) * this.#stride + left * 4);
      bytes[i >> 3] = bytes[i >> 3] << 1 | (row[(i % 16 * 8 + 4) * 4 + 1] > 127);
    }
    const stamp = checkStamp(bytes);

    return stamp && Math.abs(ageOf(stamp)) < OLD_MS ? stamp : undefined;
  }

  /* The corner of the stamp, in the middle of those that are good enough to be read from. */
  findStamp() {
    for (let top = 3; top < 300; top++)
      for (let left = 0; left < 100; left++)
        if (this.readStamp(left + 3, top + 3) && this.readStamp(left - 3, top - 3))
          return [left, top];
    return undefined;
  }
}

/* Put the element where its stamp is in the corner of the window, pixel for pixel. */
function uncover(selector) {
  const properties = { position: 'fixed', left: 0, top: 0, width: '1280px', height: '720px',
    'max-width': 'none', 'max-height': 'none', 'z-index': 1 };

  for (const [name, value] of Object.entries(properties))
    document.querySelector(selector).style.setProperty(name, value, 'important');
}

/* How old, ms, what bears this stamp is; both clocks are the monotonic one of this machine. */
function ageOf(stamp) {
  return Number(process.hrtime.bigint() - stamp) / 1e6;
}

/*
 * Where on the screen newer and newer pictures are seen. A browser needs a while to draw them where
 * they were put, and until then there is a stamp elsewhere.
 */
function findPictures() {
  let corner, last, seen;

  return until('pictures that advance on the screen', () => {
    const found = screen.findStamp();
    const stamp = found && screen.readStamp(...found);

    if (String(found) !== String(corner))
      [corner, last, seen] = [found, 0n, 0];
    if (stamp > last)
      [last, seen] = [stamp, seen + 1];
    return seen >= STEADY && corner;
  });
}

/* The age, ms, of each picture that the screen shows for so long. */
async function watch(page, selector, seconds) {
  await page.evaluate(uncover, selector);
  const corner = await findPictures();
  const ages = [];
  let last = screen.readStamp(...corner);

  for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(1)) {
    const stamp = screen.readStamp(...corner);

    if (stamp && stamp !== last)
      ages.push(ageOf(stamp));
    last = stamp ?? last;
  }
  return ages.sort((a, b) => a - b);
}

async function measure(browser, way, seconds) {
  const [page, selector] = await WAYS[way](browser, fanlight.url('https'));
  const ages = await watch(page, selector, seconds);

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
const fanlight = new Fanlight(program, { camera: { size: '1280x720', fps: 29 } });
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
