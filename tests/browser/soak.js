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
const REPORT_WITHOUT_GARBAGE = 35; // SIGRTMIN + 1

async function heapBytes(client) {
  await client.send('HeapProfiler.collectGarbage');
  return (await client.send('Runtime.getHeapUsage')).usedSize;
}

/* Firefox writes a file about all its memory when it is told to by a signal. */
async function reportMemory(browser) {
  const { pid } = browser.process();

  process.kill(pid, REPORT_WITHOUT_GARBAGE);
  const name = await until('a report from Firefox', async () => (await readdir(tmpdir()))
    .find((name) => name.startsWith('unified-memory-report-') && name.endsWith(`-${pid}.json.gz`)));
  const file = path.join(tmpdir(), name);
  const { reports } = JSON.parse(await promisify(gunzip)(await readFile(file)));

  await rm(file);
  return reports;
}

/* What the page, its worker and, as far as it is told, the cache keep without garbage, bytes. */
const heapsOf = {
  async chromium(_, page) {
    return Promise.all([await page.createCDPSession(), page.workers()[0].client].map(heapBytes));
  },

  async firefox(browser) {
    const reports = await reportMemory(browser);
    // Of a worker only the zones, where objects are; its machine code comes and goes.
    const owners = [/^explicit\/window-objects\/top\(https:/,
      /^explicit\/workers\/workers\(127\.0\.0\.1\)\/.*\/zone\(/,
      /^explicit\/network\/cache2\/disk-storage\(.*127\.0\.0\.1/];

    return owners.map((owner) => reports.filter(({ path }) => owner.test(path))
      .reduce((sum, { amount }) => sum + amount, 0));
  },
};

async function thousands_of_pictures_leave_nothing_behind({ browser, browserName, fast, pictures }) {
  const page = await openPage(browser);

  await page.goto(fast.url('https'));
  await seesAdvancing(page, picture(1));
  await fast.hasSent(WARM_UP, WARM_UP * MS_EACH_MOST);
  const before = await heapsOf[browserName](browser, page);

  await fast.hasSent(WARM_UP + pictures, pictures * MS_EACH_MOST);
  const grown = (await heapsOf[browserName](browser, page)).map((bytes, i) => bytes - before[i]);

  console.log(`# kept by page, worker, cache: ${before} bytes, grown by ${grown} after ` +
    `${pictures} pictures`);
  assert.ok(before.every((bytes) => bytes > 0));
  assert.ok(grown.every((bytes) => bytes < pictures * BYTES_EACH), `grown by ${grown}`);
}

export const soak = [thousands_of_pictures_leave_nothing_behind];
