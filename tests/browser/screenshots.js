/* The pictures of README: screenshots.js FANLIGHT FOLDER writes page.png and phone.png there. */
import path from 'node:path';

import { launch, openPage, picture, seesAdvancing } from './browsers.js';
import { Fanlight } from './fanlight.js';
import { until } from './tap.js';

const [program, folder] = process.argv.slice(2);
const camera = { size: '1280x720', fps: 30 };
const fanlight = new Fanlight(program, { bench: camera, door: camera, garden: camera });
const browser = await launch('chromium');

async function shoot(name, { scheme, address, ready, ...viewport }) {
  const page = await openPage(browser);

  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(fanlight.url('https') + address);
  await until(`what belongs on ${name}`, () => page.evaluate(ready));
  await seesAdvancing(page, picture(1));
  await page.screenshot({ path: path.join(folder, name) });
  await page.close();
}

try {
  await fanlight.start();
  await shoot('page.png', { scheme: 'dark', address: '#bench', width: 1280, height: 800,
    ready: () => document.querySelector('.graph polyline').points.length === 60 });
  await shoot('phone.png', { scheme: 'light', address: '', width: 390, height: 844,
    deviceScaleFactor: 2,
    ready: () => document.querySelectorAll('[data-state=live]').length === 3 });
  await fanlight.stop();
} finally {
  await browser.close();
  await fanlight.remove();
}
