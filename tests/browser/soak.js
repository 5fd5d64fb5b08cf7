/* Thousands of pictures leave nothing behind. */
import assert from 'node:assert/strict';

import { openPage, picture, seesAdvancing } from './browsers.js';

const PICTURES = 3000;
const BYTES_EACH = 64; // far less than anything that is kept of each

/* What a thread keeps when its garbage is gone. */
async function heapBytes(client) {
  await client.send('HeapProfiler.collectGarbage');
  return (await client.send('Runtime.getHeapUsage')).usedSize;
}

async function thousands_of_pictures_leave_nothing_behind({ browser, fast }) {
  const page = await openPage(browser);

  await page.goto(fast.url('https'));
  await seesAdvancing(page, picture(1));
  const threads = [await page.createCDPSession(), page.workers()[0].client];
  const heaps = () => Promise.all(threads.map(heapBytes));

  await fast.hasDrawn(500);
  const before = await heaps();

  await fast.hasDrawn(500 + PICTURES);
  const grown = (await heaps()).map((bytes, i) => bytes - before[i]);

  console.log(`# heap of the page and of its worker: ${before} bytes, grown by ${grown} after ` +
    `${PICTURES} pictures`);
  assert.ok(grown.every((bytes) => bytes < PICTURES * BYTES_EACH), `grown by ${grown}`);
}

/* Firefox does not tell how large its heap is. */
export const soak = { chromium: [thousands_of_pictures_leave_nothing_behind] };
