#!/usr/bin/env node
/*
 * tools/bench-browser.js FANLIGHT SECONDS ROUNDS
 *
 * How old a picture is when a browser shows it: from the moment of capture, which the test pattern
 * bears as a stamp. Over the page's live transport, drawn by its worker and by itself, and in an
 * <img>, in both layouts; the ways take turns. Prints the figures as JSON.
 *
 * Chromium hands out what its compositor has put together for the screen, which treats all ways
 * alike. In Firefox the stamp is read off the element, which takes time too; most of all from a
 * canvas that a worker draws, whose pictures come to the page by way of the compositor.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { launch, openBareImage, openPage, picture, readStamp, seesAdvancing }
  from '../tests/browser/browsers.js';
import { Fanlight } from '../tests/browser/fanlight.js';
import { percentile } from '../src/viewer/age.js';

const BROWSERS = ['chromium', 'firefox'];
const WAYS = {
  'live, worker': async (browser, url) => [await openLive(browser, url), picture(1)],
  'live, page': async (browser, url) =>
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

/* In the page: the age, ms, of each picture that the element shows for so long. */
async function watchElement(selector, seconds) {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const element = document.querySelector(selector);
  const ages = [];
  let best = { error: Infinity }, last;

  for (let i = 0; i < 20; i++) {
    const asked = performance.now();
    const { now_us } = await (await fetch('/clock', { cache: 'no-store' })).json();
    const answered = performance.now();

    if (answered - asked < best.error)
      best = { error: answered - asked, offset: now_us / 1000 - (asked + answered) / 2 };
  }
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    // A bitmap, because Firefox draws an <img> on a canvas from a cache that is seconds old.
    const bitmap = await createImageBitmap(element, 0, 0, 128, 40).catch(() => undefined);
    const now = performance.now() + best.offset;

    if (!bitmap)
      continue;
    canvas.drawImage(bitmap, 0, 0);
    const { data } = canvas.getImageData(0, 0, 128, 40);
    let stamp = 0n;

    for (let i = 0; i < 64; i++)
      stamp = stamp << 1n | BigInt(data[((i >> 4) * 8 + 4) * 512 + (i & 15) * 32 + 17] > 127);
    if (last !== undefined && stamp !== last)
      ages.push(now - Number(stamp) / 1e6);
    last = stamp;
    await new Promise((resolve) => setTimeout(resolve));
  }
  return ages;
}

/* Put the element where its stamp is in the corner of the window, pixel for pixel. */
function uncover(selector) {
  const properties = { position: 'fixed', left: 0, top: 0, width: '1280px', height: '720px',
    'max-width': 'none', 'max-height': 'none', 'z-index': 1 };

  for (const [name, value] of Object.entries(properties))
    document.querySelector(selector).style.setProperty(name, value, 'important');
}

/* What to add to the time of day, ms, for the server's clock. */
async function compareClocks(url) {
  const now = () => performance.timeOrigin + performance.now();
  let best = { error: Infinity };

  for (let i = 0; i < 20; i++) {
    const asked = now();
    const { now_us } = await (await fetch(`${url}clock`)).json();
    const answered = now();

    if (answered - asked < best.error)
      best = { error: answered - asked, offset: now_us / 1000 - (asked + answered) / 2 };
  }
  return best.offset;
}

/* The age, ms, of each picture that Chromium puts on the screen for so long. */
async function watchScreen(page, selector, seconds, url) {
  const offset = await compareClocks(url);
  const session = await page.createCDPSession();
  const shots = [];
  const ages = [];
  let last;

  await page.setViewport({ width: 320, height: 200 });
  await page.evaluate(uncover, selector);
  session.on('Page.screencastFrame', (shot) => {
    shots.push(shot);
    session.send('Page.screencastFrameAck', { sessionId: shot.sessionId }).catch(() => {});
  });
  await session.send('Page.startScreencast', { format: 'png' });
  await sleep(seconds * 1000);
  await session.send('Page.stopScreencast');

  const reader = await page.browser().newPage();

  await reader.setContent('<img>');
  for (const { data, metadata } of shots) {
    await reader.$eval('img', (image, data) => {
      image.src = `data:image/png;base64,${data}`;
      return image.decode();
    }, data);
    const stamp = await readStamp(reader, 'img');

    if (last && stamp && stamp !== last)
      ages.push(metadata.timestamp * 1000 + offset - Number(stamp) / 1e6);
    last = stamp ?? last;
  }
  await reader.close();
  return ages;
}

async function measure(name, browser, way, seconds) {
  const [page, selector] = await WAYS[way](browser, fanlight.url('https'));
  const ages = name === 'chromium' ?
    await watchScreen(page, selector, seconds, fanlight.url('http')) :
    await page.evaluate(watchElement, selector, seconds);

  await page.close();
  return ages;
}

const [program, seconds, rounds] = process.argv.slice(2);
const fanlight = new Fanlight(program, { camera: { size: '1280x720', fps: 30 } });
const results = {};

try {
  await fanlight.start();
  for (const name of BROWSERS) {
    const browser = await launch(name);
    const ages = Object.fromEntries(Object.keys(WAYS).map((way) => [way, []]));

    try {
      for (let i = 0; i < Number(rounds); i++)
        for (const way of Object.keys(WAYS))
          ages[way].push(...await measure(name, browser, way, Number(seconds)));
    } finally {
      await browser.close();
    }
    for (const [way, all] of Object.entries(ages)) {
      all.sort((a, b) => a - b);
      results[`${name}, ${way}`] = { 'age p50': percentile(all, .5),
        'age p95': percentile(all, .95), pictures: all.length };
    }
  }
  await fanlight.stop();
} finally {
  await fanlight.remove();
}
console.log(JSON.stringify(results));
