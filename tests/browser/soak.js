/* Thousands of pictures leave nothing behind. */
import assert from 'node:assert/strict';
import { readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

import { openPage, picture, seesAdvancing } from './browsers.js';
import { until } from './tap.js';

const WARM_UP = 1000;
const MS_EACH_MOST = 50; // on a busy machine
const BYTES_EACH = 100; // less than what is kept of each where anything is
const BLOBS_MOST = 100000; // bytes, of a few pictures
const DECODED_MOST = 100; // pictures that a browser that shows the newest has at hand
const REPORT = 34; // SIGRTMIN
const REPORT_WITHOUT_GARBAGE = 35;

async function heapBytes(client) {
  await client.send('HeapProfiler.collectGarbage');
  return (await client.send('Runtime.getHeapUsage')).usedSize;
}

/* Firefox writes a file about all its memory when it is told to by a signal. */
async function reportMemory(browser, signal) {
  const { pid } = browser.process();

  process.kill(pid, signal);
  const name = await until('a report from Firefox', async () => (await readdir(tmpdir()))
    .find((name) => name.startsWith('unified-memory-report-') && name.endsWith(`-${pid}.json.gz`)));
  const file = path.join(tmpdir(), name);
  const { reports } = JSON.parse(await promisify(gunzip)(await readFile(file)));

  await rm(file);
  return reports;
}

/* Bytes, of all processes. */
function sum(reports, owner) {
  return reports.filter(({ path }) => owner.test(path))
    .reduce((sum, { amount }) => sum + amount, 0);
}

/*
 * What is kept without garbage, bytes: by the page, and by its worker and, as far as it is told, the
 * cache in Chromium, or by what it shows in images and the cache in Firefox.
 */
const heapsOf = {
  async chromium(_, page) {
    return Promise.all([await page.createCDPSession(), page.workers()[0].client].map(heapBytes));
  },

  async firefox(browser) {
    const owners = [/^explicit\/window-objects\/top\(https:/, /^explicit\/images\//,
      /^explicit\/network\/cache2\/disk-storage\(.*127\.0\.0\.1/];
    let reports;

    // Seconds after their URLs were revoked.
    await until('Firefox to let go of blobs', async () => {
      reports = await reportMemory(browser, REPORT_WITHOUT_GARBAGE);
      return sum(reports, /^explicit\/dom\/memory-file-data\//) < BLOBS_MOST;
    });
    return owners.map((owner) => sum(reports, owner));
  },
};

async function thousands_of_pictures_leave_nothing_behind({ browser, browserName, fast, pictures }) {
  const page = await openPage(browser);

  await page.goto(fast.url('https'));
  await seesAdvancing(page, picture(1));
  const after = async (n) => {
    await fast.hasSent(n, n * MS_EACH_MOST);
    await page.keyboard.press(' '); // paused
    await fast.hasClients(0);
    const heaps = await heapsOf[browserName](browser, page);

    await page.keyboard.press(' ');
    return heaps;
  };
  const before = await after(WARM_UP);
  const grown = (await after(pictures)).map((bytes, i) => bytes - before[i]);

  console.log(`# kept by page, worker or images, cache: ${before} bytes, grown by ${grown} after ` +
    `${pictures} pictures`);
  assert.ok(before.every((bytes) => bytes > 0));
  assert.ok(grown.every((bytes) => bytes < pictures * BYTES_EACH), `grown by ${grown}`);
}

/* Firefox would keep what it decoded for a minute or until its cache is full, whose limit is 2 GB. */
async function decoded_pictures_are_let_go_of_while_others_come({ browser, fast }) {
  const page = await openPage(browser);

  await page.goto(fast.url('https'));
  await seesAdvancing(page, picture(1));
  await fast.hasSent(WARM_UP, WARM_UP * MS_EACH_MOST);
  const bytes = sum(await reportMemory(browser, REPORT), /^imagelib-surface-cache-estimated-total/);

  console.log(`# decoded pictures after ${WARM_UP}: ${bytes} bytes`);
  assert.ok(bytes > 0);
  assert.ok(bytes < DECODED_MOST * 160 * 120 * 4, `${bytes} bytes`);
}

export const soak = {
  chromium: [thousands_of_pictures_leave_nothing_behind],
  firefox: [decoded_pictures_are_let_go_of_while_others_come,
    thousands_of_pictures_leave_nothing_behind],
};
