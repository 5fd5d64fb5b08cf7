/* Pictures advance, on every path, and only where somebody sees them. */
import assert from 'node:assert/strict';

import { complaints, openBareImage, openPage, openViewer, picture, readsText, seesAdvancing }
  from './browsers.js';
import { until } from './tap.js';

async function page_shows_live_pictures_over_one_http2_connection({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));
  const protocols = await page.evaluate(() =>
    performance.getEntries().map((entry) => entry.nextHopProtocol).filter(Boolean));

  await fanlight.hasClients(2); // without those of the page before
  await fanlight.hasDrawn(20);
  const clients = await fanlight.clients();

  assert.ok(protocols.length > 3);
  assert.deepEqual(new Set(protocols), new Set(['h2']));
  assert.deepEqual(clients.map((client) => client.layout), ['live', 'live']);
  assert.equal(clients[0].address, clients[1].address);
  await readsText(page, /2 of 2 cameras online/);
  await readsText(page, /\d+(\.\d)? fps · \d+ ms/);
  assert.deepEqual(await complaints(page), []);
}

async function pictures_in_time_are_not_acknowledged_one_by_one({ browser, fanlight }) {
  await openViewer(browser, fanlight.url('https'));
  await fanlight.hasClients(2); // without those of the page before
  await until('fewer acknowledgements than pictures', async () => {
    const drawn = await fanlight.drawn(), reports = await fanlight.reports();

    await fanlight.hasDrawn(drawn + 30);
    return await fanlight.reports() - reports < 25;
  });
}

async function page_and_all_that_belongs_to_it_are_less_than_60_kb({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('http'));
  const urls = new Set(await page.evaluate(() => performance.getEntries()
    .map((entry) => entry.name).filter((name) => /(\/|\.\w+)$/.test(name))));
  let bytes = 0;

  for (const url of urls)
    bytes += (await (await fetch(url)).arrayBuffer()).byteLength;
  assert.ok(urls.has(`${fanlight.url('http')}show.js`));
  assert.ok(bytes > 10000 && bytes <= 60 * 1024, `${bytes} bytes: ${[...urls]}`);
}

async function page_draws_itself_where_there_is_no_worker({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'), () => delete window.Worker);

  await fanlight.hasClients(2); // without those of the page before
  assert.deepEqual((await fanlight.clients()).map((client) => client.layout), ['live', 'live']);
  await readsText(page, /fps · \d+ ms/);
  assert.deepEqual(await complaints(page), []);
}

async function page_shows_images_where_the_browser_lacks_more({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'),
    () => delete window.ReadableStream);

  await fanlight.hasClients(2); // without those of the page before
  assert.deepEqual((await fanlight.clients()).map((client) => client.layout), ['early', 'early']);
  await readsText(page, /Live/);
  assert.deepEqual(await complaints(page), []);
}

async function page_without_scripts_shows_the_first_camera({ browser, fanlight }) {
  const page = await openPage(browser);

  await page.setJavaScriptEnabled(false);
  await page.goto(fanlight.url('https'), { waitUntil: 'domcontentloaded' });
  await fanlight.hasClients(1); // without those of the page before
  await seesAdvancing(page, 'noscript img');
}

async function bare_image_advances_over_http2_in_each_layout({ browser, fanlight }) {
  for (const layout of ['early', 'classic']) {
    await (await openBareImage(browser, fanlight.url('https'), layout)).bringToFront();
    await until(`a client of layout ${layout}`, async () => (await fanlight.clients()).some(
      (client) => client.layout === layout && client.protocol === 'h2'));
  }
}

async function image_gets_the_layout_that_shows_each_frame_at_once({ browser, relay }) {
  await openBareImage(browser, relay.url());
  const headers = relay.answered.matchAll(/--boundarydonotcross\r\n(.+?)\r\n\r\n/gs);

  assert.match(relay.asked, /^GET \/stream .+\r\n(.+\r\n)*sec-fetch-dest: image\r\n/im);
  // A Content-Length would have to wait for the picture whose header it stands in.
  assert.deepEqual(new Set(Array.from(headers, ([, header]) => header)),
    new Set(['Content-Type: image/jpeg']));
}

async function nine_cameras_share_a_connection_and_only_seen_ones_use_it({ browser, nine }) {
  const page = await openPage(browser);

  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(nine.url('https'));
  await nine.hasClients(9);
  for (let n = 1; n <= 9; n++)
    await seesAdvancing(page, picture(n));
  const clients = await nine.clients();

  assert.equal(new Set(clients.map((client) => client.address)).size, 1);
  assert.deepEqual(new Set(clients.map((client) => client.layout)), new Set(['live']));

  // A window for the first of them, then for the last.
  await page.setViewport({ width: 300, height: 200 });
  await until('the last to be let go', async () => /^a[^i]*$/.test(await nine.watched()));
  await page.evaluate(() => document.querySelector('.tile:last-of-type').scrollIntoView());
  await until('the first to be let go', async () => /^[^a]*i$/.test(await nine.watched()));
  await seesAdvancing(page, picture(9));
  assert.deepEqual(await complaints(page), []);
}

async function cameras_that_connections_lack_for_say_so({ browser, nine }) {
  const page = await openPage(browser);

  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(nine.url('http'));
  await seesAdvancing(page, picture(4));
  await readsText(page, /Use HTTPS, or enlarge this camera/);
  assert.equal((await nine.clients()).length, 4);
}

async function small_tiles_take_small_pictures_and_a_large_one_the_cameras({ browser, fanlight }) {
  const page = await openPage(browser);
  const takes = (variants) => until(`pictures of ${variants}`, async () =>
    (await fanlight.clients()).map(({ variant }) => variant).join() === variants);

  await page.setViewport({ width: 300, height: 600 });
  await page.goto(fanlight.url('https'));
  await takes('320,320');
  await readsText(page, /Live/);
  await page.evaluate(() => location.hash = 'garden');
  await takes('');
  await seesAdvancing(page, picture(2));
  await page.setViewport({ width: 1280, height: 800 });
  await page.evaluate(() => location.hash = '');
  await takes(',');
  assert.deepEqual(await complaints(page), []);
}

async function hidden_page_lets_its_streams_go({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));
  const other = await browser.newPage();

  await other.bringToFront();
  await fanlight.hasClients(0);
  await page.bringToFront();
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
}

async function page_left_lets_its_streams_go_and_takes_them_again({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));

  await page.goto(`${fanlight.url('https')}healthz`);
  await fanlight.hasClients(0);
  // Firefox brings the page back from a cache and never tells puppeteer that it has come.
  await page.evaluate(() => history.back()).catch(() => {});
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
}

async function page_works_below_a_proxys_prefix({ browser, fanlight, proxy }) {
  const page = await openViewer(browser, proxy.url());

  await fanlight.hasDrawn(20);
  await readsText(page, /fps · \d+ ms/);
  assert.deepEqual(await complaints(page), []);
}

/* After any other change of the page Firefox has the next picture wait for the screen. */
async function figures_change_in_the_same_turn_as_a_picture({ browser, fanlight }) {
  const page = await openPage(browser);

  await page.goto(`${fanlight.url('https')}#door`);
  await seesAdvancing(page, picture(1));
  await page.evaluate((picture) => {
    const { port1, port2 } = new MessageChannel();
    let isTurn = false; // of a picture, until the message has come
    const observer = new MutationObserver((changes) => {
      if (changes.some(({ type }) => type === 'attributes')) {
        isTurn = true;
        port2.postMessage('');
      }
      if (changes.some(({ type }) => type === 'childList'))
        window.together = isTurn ? window.together + 1 : 0;
    });

    port1.onmessage = () => isTurn = false;
    window.together = 0;
    observer.observe(document.querySelector(picture), { attributeFilter: ['src'] });
    observer.observe(document.querySelector('[data-figure=age]'), { childList: true });
  }, picture(1));
  await until('figures that change with pictures, five times in a row', () =>
    page.evaluate(() => window.together >= 5));
}

/* Firefox decodes a picture a second time where it is to scale it in its better way. */
async function picture_is_decoded_anew_only_where_it_is_much_too_large({ browser, fanlight }) {
  const page = await openPage(browser);
  const isScaled = (how) => until(`a picture scaled in the ${how} way`, () =>
    page.evaluate((selector, how) =>
      getComputedStyle(document.querySelector(selector)).imageRendering === how, picture(1), how));

  await page.setViewport({ width: 500, height: 700 });
  await page.goto(`${fanlight.url('https')}#door`); // 640 wide
  await seesAdvancing(page, picture(1));
  await isScaled('smooth');
  await page.setViewport({ width: 250, height: 700 });
  await isScaled('auto');
}

/* Firefox cannot be told to do without scripts; Chromium's pictures do not change the page. */
export const ofOneBrowser = {
  chromium: [page_without_scripts_shows_the_first_camera],
  firefox: [figures_change_in_the_same_turn_as_a_picture,
    picture_is_decoded_anew_only_where_it_is_much_too_large],
};

export const pictures = [
  page_shows_live_pictures_over_one_http2_connection,
  pictures_in_time_are_not_acknowledged_one_by_one,
  page_and_all_that_belongs_to_it_are_less_than_60_kb,
  page_draws_itself_where_there_is_no_worker,
  page_shows_images_where_the_browser_lacks_more,
  bare_image_advances_over_http2_in_each_layout,
  image_gets_the_layout_that_shows_each_frame_at_once,
  nine_cameras_share_a_connection_and_only_seen_ones_use_it,
  cameras_that_connections_lack_for_say_so,
  small_tiles_take_small_pictures_and_a_large_one_the_cameras,
  hidden_page_lets_its_streams_go,
  page_left_lets_its_streams_go_and_takes_them_again,
  page_works_below_a_proxys_prefix,
];
