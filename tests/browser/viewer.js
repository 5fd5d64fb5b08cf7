/*
 * The page and a bare <img> in a real browser, on a real server: viewer.js FANLIGHT BROWSER
 *
 * $FANLIGHT_SCREENSHOT names a file for a picture of the page.
 */
import assert from 'node:assert/strict';

import { complaints, launch, openPage, seesAdvancing } from './browsers.js';
import { Fanlight, Relay } from './fanlight.js';
import { plan, test, until } from './tap.js';

const [program, browserName] = process.argv.slice(2);
const fanlight = new Fanlight(program);
const relay = new Relay();
let browser;

const picture = (n) => `.tile:nth-of-type(${n}) .live`;

/* Open the page over HTTPS and wait for both pictures. */
async function openViewer() {
  const page = await openPage(browser);

  await page.goto(fanlight.url('https'));
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
  return page;
}

/* A page of the server's origin with nothing in it but an <img> of the stream. */
async function openBareImage(url) {
  const page = await openPage(browser);

  await page.goto(`${url}no-such-page`);
  await page.evaluate(() => {
    const image = document.createElement('img');

    image.src = '/stream';
    document.body.replaceChildren(image);
  });
  await seesAdvancing(page, 'img');
  return page;
}

/* What the page says, as a reader sees it. */
function readText(page) {
  return page.evaluate(() => document.body.innerText);
}

async function readsText(page, pattern) {
  await until(`the page to say ${pattern}`, async () => pattern.test(await readText(page)));
}

async function page_shows_moving_pictures_over_http2() {
  const page = await openViewer();
  const protocols = await page.evaluate(() =>
    performance.getEntries().map((entry) => entry.nextHopProtocol).filter(Boolean));
  const clients = await fanlight.clients();

  assert.ok(protocols.length > 3);
  assert.deepEqual(new Set(protocols), new Set(['h2']));
  assert.equal(clients.length, 2);
  assert.equal(clients[0].address, clients[1].address);
  assert.deepEqual(clients.map((client) => client.layout), ['early', 'early']);
  await readsText(page, /2 of 2 cameras online/);
  await readsText(page, /640 × 360 · \d+(\.\d)? fps/);
  if (process.env.FANLIGHT_SCREENSHOT && browserName === 'chromium') {
    await page.setViewport({ width: 1280, height: 800 });
    await seesAdvancing(page, picture(2));
    await page.screenshot({ path: process.env.FANLIGHT_SCREENSHOT });
  }
  assert.deepEqual(await complaints(page), []);
}

async function bare_image_advances_over_http2() {
  await openBareImage(fanlight.url('https'));
  await fanlight.hasClients(1);
  assert.equal((await fanlight.clients())[0].protocol, 'h2');
}

async function image_gets_the_layout_that_shows_each_frame_at_once() {
  await openBareImage(relay.url());
  const headers = relay.answered.matchAll(/--boundarydonotcross\r\n(.+?)\r\n\r\n/gs);

  assert.match(relay.asked, /^GET \/stream .+\r\n(.+\r\n)*sec-fetch-dest: image\r\n/im);
  // A Content-Length would have to wait for the picture whose header it stands in.
  assert.deepEqual(new Set(Array.from(headers, ([, header]) => header)),
    new Set(['Content-Type: image/jpeg']));
}

async function hidden_page_lets_its_streams_go() {
  const page = await openViewer();
  const other = await browser.newPage();

  await other.bringToFront();
  await fanlight.hasClients(0);
  await page.bringToFront();
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
}

async function page_left_lets_its_streams_go() {
  const page = await openViewer();

  await page.goto('about:blank');
  await fanlight.hasClients(0);
}

async function keys_enlarge_a_camera_and_lead_back() {
  const page = await openViewer();
  const isFocused = () => page.evaluate(() => document.activeElement.ariaLabel);

  await until('the focus on the second camera', async () => {
    await page.keyboard.press('Tab');
    return await isFocused() === 'Enlarge garden';
  });
  await page.keyboard.press('Enter');
  await fanlight.hasClients(1);
  assert.equal(await isFocused(), 'Show all cameras');
  assert.equal(await page.title(), 'garden – Fanlight');
  assert.doesNotMatch(await readText(page), /door/);
  await seesAdvancing(page, picture(2));

  await page.keyboard.press('Escape');
  await fanlight.hasClients(2);
  assert.equal(await isFocused(), 'Enlarge garden');
  await seesAdvancing(page, picture(1));
  assert.deepEqual(await complaints(page), []);
}

async function stream_cut_on_its_way_is_taken_up_again() {
  const page = await openPage(browser);

  await page.goto(relay.url());
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
  relay.cut();
  await fanlight.hasClients(0);
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
}

async function page_tells_of_a_stopped_server_and_recovers() {
  const page = await openViewer();

  await fanlight.stop();
  await readsText(page, /The server does not answer/);
  await readsText(page, /No connection/);
  await fanlight.start();
  await readsText(page, /2 of 2 cameras online/);
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
}

const promises = [
  page_shows_moving_pictures_over_http2,
  bare_image_advances_over_http2,
  image_gets_the_layout_that_shows_each_frame_at_once,
  hidden_page_lets_its_streams_go,
  page_left_lets_its_streams_go,
  keys_enlarge_a_camera_and_lead_back,
  stream_cut_on_its_way_is_taken_up_again,
  page_tells_of_a_stopped_server_and_recovers,
];

try {
  await fanlight.start();
  await relay.open(fanlight.port('http'));
  browser = await launch(browserName);
  const [first] = await browser.pages();

  for (const promise of promises) {
    await test(promise.name, promise);
    for (const page of await browser.pages())
      if (page !== first)
        await page.close();
  }
  await test('server_ends_well', () => fanlight.stop());
  plan();
} finally {
  await browser?.close();
  relay.close();
  await fanlight.remove();
}
