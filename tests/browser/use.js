/* What is done with the page: by keys, by buttons, with controls; and by whom. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { complaints, openPage, openViewer, picture, readState, readStamp, readText, readsText,
  seesAdvancing } from './browsers.js';
import { controlsOf } from './vivid.js';
import { until } from './tap.js';

const focused = (page) => page.evaluate(() => document.activeElement.ariaLabel);

async function keys_enlarge_a_camera_and_lead_back({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));

  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(page), 'Enlarge door');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(page), 'Enlarge garden');
  await page.keyboard.press('Enter');
  await fanlight.hasClients(1);
  assert.equal(await focused(page), 'Show all cameras');
  assert.equal(await page.title(), 'garden – Fanlight');
  assert.doesNotMatch(await readText(page), /door/);
  await seesAdvancing(page, picture(2));

  await page.keyboard.press('ArrowLeft');
  await seesAdvancing(page, picture(1));
  assert.equal(await page.title(), 'door – Fanlight');
  await fanlight.hasClients(1);

  await page.keyboard.press('Escape');
  await fanlight.hasClients(2);
  assert.equal(await focused(page), 'Enlarge door');
  await page.keyboard.press('?');
  await readsText(page, /save a snapshot/);
  await page.keyboard.press('Escape');
  await until('the help to be gone', async () => !/save a snapshot/.test(await readText(page)));
  assert.deepEqual(await complaints(page), []);
}

async function large_camera_tells_the_age_of_its_pictures({ browser, fanlight }) {
  const page = await openPage(browser);

  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(`${fanlight.url('https')}#door`);
  await readsText(page, /\d+ ms\s+capture to screen/);
  await readsText(page, /p50\s+\d+ ms\s+p95\s+\d+ ms\s+Size\s+640 × 360\s+Rate\s+\d+/);
  await readsText(page, /Stream\s+\d+.* [kM]bit\/s\s+Dropped\s+\d+/);
  await until('a line of ages', () => page.evaluate(() =>
    document.querySelector('.graph polyline').points.length > 3));
}

async function nothing_below_a_large_camera_lies_on_anything_else({ browser, fanlight }) {
  const page = await openPage(browser);

  await page.goto(`${fanlight.url('https')}#garden`);
  await readsText(page, /\d+ ms\s+capture to screen/);
  await page.evaluate(() => document.querySelector('.large h2').textContent = 'x'.repeat(60));
  for (let width = 320; width <= 1600; width += 64) {
    await page.setViewport({ width, height: 600 + width % 3 * 150 });
    const [inside, boxes] = await page.evaluate(() => {
      const tile = document.querySelector('.large');
      const parts = ['h2', '.status', '.figures', '.buttons'].map((part) =>
        tile.querySelector(part).getBoundingClientRect());
      const { left, right } = tile.getBoundingClientRect();

      return [parts.every((part) => part.left >= left && part.right <= right && part.width > 40),
        parts.map(({ left, top, right, bottom }) => ({ left, top, right, bottom }))];
    });

    for (const [i, a] of boxes.entries())
      for (const b of boxes.slice(i + 1))
        assert.ok(inside && (a.right <= b.left || a.bottom <= b.top),
          `${width} wide: ${JSON.stringify(boxes)}`);
  }
}

async function paused_picture_stays_and_its_snapshot_is_that_picture({ browser, fanlight }) {
  const page = await openPage(browser);

  // What a browser would save.
  await page.evaluateOnNewDocument(() => {
    HTMLAnchorElement.prototype.click = async function click() {
      const picture = Object.assign(new Image(), { src: this.href, title: this.download });

      await picture.decode();
      picture.id = 'saved';
      document.body.append(picture);
    };
  });
  await page.goto(`${fanlight.url('https')}#door`);
  await seesAdvancing(page, picture(1));
  await page.keyboard.press(' ');
  await fanlight.hasClients(0);
  assert.equal(await readState(page), 'paused');
  await page.keyboard.press('s');
  const name = await (await page.waitForSelector('#saved')).evaluate((saved) => saved.title);

  assert.match(name, /^door-\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.jpg$/);
  assert.equal(await readStamp(page, '#saved'), await readStamp(page, picture(1)));
  await page.keyboard.press(' ');
  await seesAdvancing(page, picture(1));
  assert.deepEqual(await complaints(page), []);
}

async function key_makes_the_picture_fill_the_screen({ browser, fanlight }) {
  const page = await openPage(browser);
  const isFull = () => page.evaluate(() => document.fullscreenElement?.className === 'stage');

  await page.goto(`${fanlight.url('https')}#door`);
  await seesAdvancing(page, picture(1));
  await page.keyboard.press('f');
  await until('the picture to fill the screen', isFull);
  await seesAdvancing(page, picture(1));
  await page.keyboard.press('f');
  await until('the page again', async () => !await isFull());
}

async function picture_in_picture_stays_whatever_the_page_shows({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));
  const layouts = async () => (await fanlight.clients()).map(({ layout }) => layout).join(' ');

  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('p');
  await until('a stream of its own', async () => await layouts() === 'live early live' ||
    await layouts() === 'early live live');
  await page.evaluate(() => location.hash = 'garden');
  await until('the small window and the large camera', async () =>
    await layouts() === 'early live');
  await page.evaluate(() => documentPictureInPicture.window.close());
  await until('only the large camera', async () => await layouts() === 'live');
  await seesAdvancing(page, picture(2));
  assert.deepEqual(await complaints(page), []);
}

async function addresses_are_whole_urls_below_the_prefix({ browser, proxy }) {
  const page = await openPage(browser);

  await page.goto(`${proxy.url()}#door`);
  await seesAdvancing(page, picture(1));
  await page.keyboard.press('u');
  for (const kind of ['stream', 'snapshot'])
    await readsText(page, new RegExp(`${proxy.url()}door/${kind}`));
  await page.click('#addresses dl button');
  await readsText(page, /Copied/);
}

async function small_phone_has_room_for_all_and_for_a_thumb({ browser, fanlight }) {
  const page = await openPage(browser);
  const narrow = { width: 320, height: 568, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

  await page.setViewport(narrow);
  await page.goto(fanlight.url('https'));
  await seesAdvancing(page, picture(2));
  await page.tap(picture(2));
  await fanlight.hasClients(1);
  assert.equal(await page.title(), 'garden – Fanlight');
  const [width, ...buttons] = await page.evaluate(() => [document.documentElement.scrollWidth,
    ...[...document.querySelectorAll('button')].filter((button) => button.checkVisibility())
      .map((button) => button.getBoundingClientRect().width)]);

  assert.equal(width, narrow.width);
  assert.ok(buttons.length >= 5 && Math.min(...buttons) >= 40, `buttons ${buttons} wide`);
}

async function controls_are_set_as_the_driver_takes_them({ browser, proxy }) {
  const camera = controlsOf();
  const page = await openPage(browser);
  const value = (name) => page.evaluate((id) => document.getElementById(id).value,
    `control-${name}`);

  proxy.answerItself('door/controls', camera.answer);
  await page.goto(`${proxy.url()}#door`);
  await page.waitForSelector('[data-do=adjust]:not([hidden])');
  await page.keyboard.press('c');
  await readsText(page, /Brightness/);

  await page.focus('#control-brightness');
  await page.keyboard.press('ArrowRight');
  await until('the brightness that the driver took', async () =>
    await value('brightness') === '130' && camera.value('brightness') === 130);
  await page.click('#control-brightness ~ .reset');
  await until('the default', async () => await value('brightness') === '128');
  await page.click('#control-horizontal_flip');
  await until('the flip', () => camera.value('horizontal_flip'));
  await page.select('#control-power_line', '2');
  await until('the choice', () => camera.value('power_line') === 2);
  await page.click('#control-auto_focus_once');
  await until('the press', () => camera.presses > 0);

  await page.focus('#control-gain');
  await page.keyboard.press('ArrowRight');
  await readsText(page, /gain is decided by autogain/);
  await until('the value that stayed', async () => await value('gain') === '10');
  assert.ok(await page.evaluate(() => document.getElementById('control-grabbed').disabled));

  await page.select('.formats select', 'MJPG');
  await page.click('.formats button');
  await until('the format', () => camera.format().fourcc === 'MJPG');
}

async function account_that_may_watch_watches({ browser, closed }) {
  const page = await openPage(browser);

  await page.authenticate({ username: 'bob', password: 'bobs' });
  await page.goto(closed.url('https'));
  await seesAdvancing(page, picture(1));
  await readsText(page, /\d+ ms\s+capture to screen/);
  await until('the server to know that they are drawn', () => page.evaluate(async () =>
    (await (await fetch('state')).json()).cameras[0].clients[0]?.drawn > 5));
  assert.deepEqual(await complaints(page), []);
}

/* By another name of the host than before, of which the browser knows no password yet. */
async function address_may_hold_name_and_password({ browser, closed }) {
  const page = await openPage(browser);

  await page.goto(`https://bob:bobs@localhost:${closed.port('https')}/`);
  await until('a picture', () => readStamp(page, picture(1)).catch(() => {})); // of the next page
  await seesAdvancing(page, picture(1));
  assert.doesNotMatch(await page.evaluate(() => document.baseURI), /bob/);
}

async function page_has_no_barriers({ browser, browserName, proxy, fanlight }) {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const schemes = browserName === 'chromium' ? ['light', 'dark'] : ['light'];
  const page = await openPage(browser);
  const check = async (what) => {
    const { violations } = await page.evaluate(() => window.axe.run());

    assert.deepEqual(violations.map(({ id, nodes }) => [what, id, nodes.map(({ html, any }) =>
      [html, any.map(({ message }) => message)])]), []);
  };

  proxy.answerItself('door/controls', controlsOf().answer);
  for (const scheme of schemes) {
    if (schemes.length > 1)
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(proxy.url());
    await seesAdvancing(page, picture(2));
    await page.evaluate(axe);
    await check(`wall, ${scheme}`);
    await page.evaluate(() => location.hash = 'door');
    await page.waitForSelector('[data-do=adjust]:not([hidden])');
    await page.keyboard.press('c');
    await readsText(page, /Brightness/);
    await check(`large camera with its controls, ${scheme}`);
    await page.keyboard.press('?');
    await readsText(page, /save a snapshot/);
    await check(`help, ${scheme}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('u');
    await readsText(page, /door\/stream/);
    await check(`addresses, ${scheme}`);
    await fanlight.hasClients(1);
  }
}

/* Chromium alone lets a page make such a window, and is driven like a phone. */
export const chromiumOnly = [picture_in_picture_stays_whatever_the_page_shows,
  small_phone_has_room_for_all_and_for_a_thumb];

export const use = [
  keys_enlarge_a_camera_and_lead_back,
  large_camera_tells_the_age_of_its_pictures,
  nothing_below_a_large_camera_lies_on_anything_else,
  paused_picture_stays_and_its_snapshot_is_that_picture,
  key_makes_the_picture_fill_the_screen,
  addresses_are_whole_urls_below_the_prefix,
  controls_are_set_as_the_driver_takes_them,
  account_that_may_watch_watches,
  address_may_hold_name_and_password,
  page_has_no_barriers,
];
