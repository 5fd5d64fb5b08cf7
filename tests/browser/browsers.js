/* Debian's browsers, and what the pictures in their pages show. */
import { until } from './tap.js';

const BROWSERS = {
  chromium: {
    browser: 'chrome',
    executablePath: '/usr/bin/chromium',
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--ignore-certificate-errors',
      // Its sandbox refuses to run for root, as in a container.
      ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
  },
  firefox: {
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    protocol: 'webDriverBiDi',
  },
};

/*
 * Without a screen; or on an X server's, as a viewer has it: the window is of its own size, and the
 * browser does not tell us of requests, of which the page makes one for each picture.
 */
export async function launch(name, display) {
  const { default: puppeteer } = await import('puppeteer-core').catch(() => {
    throw new Error('puppeteer-core is not there; run "npm ci" in tests/browser');
  });

  return puppeteer.launch({ ...BROWSERS[name], headless: !display, acceptInsecureCerts: true,
    ...display && { defaultViewport: null, networkEnabled: false },
    env: { ...process.env, DISPLAY: display }, timeout: 90000, protocolTimeout: 90000 });
}

/* A page that keeps what it complains about in page.complaints, for complaints(). */
export async function openPage(browser) {
  const page = await browser.newPage();

  page.setDefaultTimeout(60000);
  page.complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error')
      page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  await page.evaluateOnNewDocument(() => {
    window.violations = [];
    addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`));
  });
  return page;
}

export async function complaints(page) {
  return page.complaints.concat(await page.evaluate(() => window.violations));
}

/*
 * Read the time stamp off the pattern that an <img> or a <canvas> shows: 16x5 blocks of 8x8 pixels,
 * white is 1, the highest bit first; 64 bits of capture time, then 0xF5 and the XOR of the time's
 * bytes. Gives the time, or undefined where there is no whole stamp.
 */
export async function readStamp(page, selector) {
  const bytes = await page.evaluate(async (selector) => {
    const picture = document.querySelector(selector);
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const bytes = [];

    if (!picture || picture.naturalWidth === 0)
      return undefined;
    // A bitmap, because Firefox draws an <img> on a canvas from a cache that is seconds old.
    const bitmap = await createImageBitmap(picture, 0, 0, 128, 40).catch(() => undefined);

    if (!bitmap)
      return undefined; // cut off within a picture
    canvas.drawImage(bitmap, 0, 0);
    const { data } = canvas.getImageData(0, 0, 128, 40);

    for (let i = 0; i < 80; i++) {
      const x = i % 16 * 8 + 4, y = Math.floor(i / 16) * 8 + 4;

      // Green alone tells black from white.
      bytes[i >> 3] = bytes[i >> 3] << 1 | (data[(y * 128 + x) * 4 + 1] > 127);
    }
    return bytes;
  }, selector);

  return bytes && checkStamp(bytes);
}

/* The time that these ten bytes say; undefined where they are no stamp. */
export function checkStamp(bytes) {
  if (bytes[8] !== 0xf5 || bytes.slice(0, 8).reduce((a, b) => a ^ b) !== bytes[9])
    return undefined;
  return Buffer.from(bytes).readBigUInt64BE(0);
}

/* Throw the error with what the page says meanwhile. */
async function tellPage(page, error) {
  const [visibility, text] = await page.evaluate(() =>
    [document.visibilityState, document.body.innerText]);

  throw new Error(`${error.message}; the page is ${visibility} and says:\n${text}`);
}

/* See five pictures, each newer than the one before. */
export async function seesAdvancing(page, selector) {
  let newest = 0n;

  for (let i = 0; i < 5; i++)
    newest = await until(`a newer picture in ${selector}`, async () => {
      const stamp = await readStamp(page, selector);

      if (stamp < newest)
        throw new Error(`${selector} went back from ${newest} to ${stamp}`);
      return stamp > newest && stamp;
    }).catch((error) => tellPage(page, error));
}

/* The picture of the n-th camera on the page. */
export const picture = (n) => `.tile:nth-of-type(${n}) .live`;

/* Open the page of two cameras and wait for both; prepare() runs before its scripts. */
export async function openViewer(browser, url, prepare) {
  const page = await openPage(browser);

  if (prepare)
    await page.evaluateOnNewDocument(prepare);
  await page.goto(url);
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
  return page;
}

/* A page of the server's origin with nothing in it but an <img> of the stream. */
export async function openBareImage(browser, url, layout) {
  const page = await openPage(browser);

  await page.goto(`${url}no-such-page`);
  await page.evaluate((query) => {
    const image = document.createElement('img');

    image.src = `/stream${query}`;
    document.body.replaceChildren(image);
  }, layout ? `?layout=${layout}` : '');
  await seesAdvancing(page, 'img');
  return page;
}

/* What the page says, as a reader sees it. */
export function readText(page) {
  return page.evaluate(() => document.body.innerText);
}

export async function readsText(page, pattern) {
  await until(`the page to say ${pattern}`, async () => pattern.test(await readText(page)))
    .catch((error) => tellPage(page, error));
}

/* Of the first camera. */
export function readState(page) {
  return page.evaluate(() => document.querySelector('.tile').dataset.state);
}
