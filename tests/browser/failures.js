/* What goes wrong is said, and passes without a reload. */
import assert from 'node:assert/strict';

import { openPage, openViewer, picture, readState, readStamp, readsText, seesAdvancing }
  from './browsers.js';
import { until } from './tap.js';

async function stream_cut_on_its_way_is_taken_up_again({ browser, fanlight, relay }) {
  const page = await openPage(browser);

  await page.goto(relay.url());
  await fanlight.hasClients(2);
  await seesAdvancing(page, picture(1));
  const before = (await fanlight.clients()).map(({ address }) => address);
  relay.cut();
  await until('two other clients', async () => {
    const now = await fanlight.clients();

    return now.length === 2 && !now.some(({ address }) => before.includes(address));
  });
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
}

async function page_tells_of_a_killed_server_and_recovers({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));

  await fanlight.kill();
  await readsText(page, /The picture was interrupted. Trying again in \d+ s\./);
  await readsText(page, /The server does not answer/);
  assert.equal(await readState(page), 'waiting');
  await fanlight.start();
  await readsText(page, /2 of 2 cameras online/);
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
  await until('the picture to be live', async () => await readState(page) === 'live');
}

async function old_picture_is_never_shown_as_live({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'));

  fanlight.freeze();
  await readsText(page, /This picture is \d+\.\d s old/);
  assert.equal(await readState(page), 'late');
  assert.ok(await readStamp(page, picture(1)), 'the last picture stays');
  await readsText(page, /Trying again in \d+ s/);
  fanlight.thaw();
  await seesAdvancing(page, picture(1));
  await until('the picture to be live', async () => await readState(page) === 'live');
}

async function camera_that_is_away_says_why_and_since_when({ browser, away }) {
  const page = await openPage(browser);

  await page.goto(away.url('https'));
  await readsText(page, /Offline since .*\d\d:\d\d.*\. .*no-such-camera/);
  await readsText(page, /1 of 2 cameras online/);
  await seesAdvancing(page, picture(2));
}

async function picture_that_is_never_decoded_gives_way_to_newer_ones({ browser, fanlight }) {
  const page = await openViewer(browser, fanlight.url('https'), () => delete window.Worker);

  await page.evaluate(() => {
    for (const [owner, name] of [[window, 'createImageBitmap'], [Image.prototype, 'decode']]) {
      const decode = owner[name];

      owner[name] = function stuckOnce(...args) {
        if (args.length > 1) // to look at what is shown
          return decode.apply(this, args);
        owner[name] = decode;
        window.isStuck = true;
        return new Promise(() => {});
      };
    }
  });
  await until('a picture to be stuck', () => page.evaluate(() => window.isStuck));
  await seesAdvancing(page, picture(1));
  await seesAdvancing(page, picture(2));
}

export const failures = [
  stream_cut_on_its_way_is_taken_up_again,
  page_tells_of_a_killed_server_and_recovers,
  old_picture_is_never_shown_as_live,
  camera_that_is_away_says_why_and_since_when,
  picture_that_is_never_decoded_gives_way_to_newer_ones,
];
