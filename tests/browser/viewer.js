/*
 * The page in a real browser, on a real server: viewer.js [--pictures N] FANLIGHT BROWSER [TEST...]
 * N pictures are what a soak takes; 54000 are half an hour of 30 a second.
 */
import { parseArgs } from 'node:util';

import { launch } from './browsers.js';
import { Fanlight, Relay } from './fanlight.js';
import { failures } from './failures.js';
import { ofOneBrowser, pictures } from './pictures.js';
import { Proxy } from './proxy.js';
import { soak } from './soak.js';
import { plan, test } from './tap.js';
import { chromiumOnly, use } from './use.js';

const { values: options, positionals: [program, browserName, ...chosen] } = parseArgs({
  allowPositionals: true, options: { pictures: { type: 'string', default: '6000' } } });
const small = { size: '320x180', fps: 10 };
const house = {
  browserName,
  pictures: Number(options.pictures),
  fanlight: new Fanlight(program, { door: {}, garden: {} }),
  nine: new Fanlight(program, Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    .map((name) => [name, small]))),
  away: new Fanlight(program, { attic: { source: '/dev/no-such-camera' }, door: {} }),
  closed: new Fanlight(program, { door: {} }, { bob: 'bobs' }),
  fast: new Fanlight(program, { door: { size: '160x120', fps: 240 } }),
  relay: new Relay(),
  proxy: new Proxy('/house/cameras/'),
};
/* Those that tell of their clients without a login. */
const open = [house.fanlight, house.nine, house.away, house.fast];
const servers = [...open, house.closed];

/* Close what a test has opened: the next one counts clients of its own. */
async function leave() {
  for (const page of await house.browser.pages())
    if (page !== house.first)
      await page.close();
  await Promise.all(open.map((server) => server.isLeft()));
}

try {
  await Promise.all(servers.map((server) => server.start()));
  await house.relay.open(house.fanlight.port('http'));
  await house.proxy.open(house.fanlight.port('http'));
  house.browser = await launch(browserName);
  [house.first] = await house.browser.pages();

  for (const promise of [...pictures, ...ofOneBrowser[browserName], ...use,
    ...browserName === 'chromium' ? chromiumOnly : [], ...failures, ...soak[browserName]]) {
    if (chosen.length && !chosen.includes(promise.name))
      continue;
    await test(promise.name, () => promise(house).finally(leave));
  }
  await test('servers_end_well', () => Promise.all(servers.map((server) => server.stop())));
  plan();
} finally {
  await house.browser?.close();
  house.relay.close();
  house.proxy.close();
  await Promise.all(servers.map((server) => server.remove()));
}
