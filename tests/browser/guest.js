/*
 * The page with the camera of a real driver, vivid's in the guest of tests/vm:
 * guest.js PYTHON RIG VISITED FANLIGHT FAKECAM
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { complaints, launch, openPage, picture, readState, readsText }
  from './browsers.js';
import { plan, test, until } from './tap.js';

const [python, rig, ...visited] = process.argv.slice(2);
// Loopback has an address for every process, where the guest's ports cannot be anybody else's.
const address = [127, 1 + (process.pid >> 16), process.pid >> 8 & 255, process.pid & 255].join('.');
const url = `http://${address}:8080/`;
const guest = spawn(python, [rig, '--timeout', '500', '--forward', address, '--', python,
  ...visited], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
const ended = once(guest, 'exit');
let said = '';

guest.stdout.setEncoding('utf8').on('data', (text) => said += text);

/* What v4l2-ctl says in the guest; without words, it is the last order. */
async function order(...words) {
  const answer = await fetch(`http://${address}:8081/`, { method: 'POST',
    body: JSON.stringify(words) });
  const text = await answer.text();

  assert.ok(answer.ok, `v4l2-ctl ${words}: ${text}`);
  return text;
}

/* A control as the driver tells it to another program. */
async function byDriver(name) {
  return (await order('-C', name)).split(': ')[1].trim();
}

async function driverHas(name, value) {
  await until(`the driver to have ${name} ${value}`, async () => await byDriver(name) === value);
}

/* A control as the page shows it. */
function onPage(page, name, property = 'value') {
  return page.evaluate((id, property) => document.getElementById(id)[property],
    `control-${name}`, property);
}

async function pageHas(page, name, value, property) {
  await until(`the page to show ${name} ${value}`, async () =>
    await onPage(page, name, property) === value);
}

/* How bright the picture is that the page shows, 0 to 255. */
function brightness(page) {
  return page.evaluate(async (selector) => {
    const bitmap = await createImageBitmap(document.querySelector(selector));
    const context = Object.assign(document.createElement('canvas'), { width: 64, height: 36 })
      .getContext('2d');

    context.drawImage(bitmap, 0, 0, 64, 36);
    const { data } = context.getImageData(0, 0, 64, 36);

    return data.filter((_, i) => i % 4 === 1).reduce((sum, green) => sum + green) / (64 * 36);
  }, picture(1));
}

async function brightness_set_by_keyboard_changes_the_picture(page) {
  await page.focus('#control-brightness');
  await page.keyboard.press('Home');
  await until('a dark picture', async () => await brightness(page) < 60);
  await driverHas('brightness', '0');
  await page.keyboard.press('End');
  await until('a bright picture', async () => await brightness(page) > 160);
  await driverHas('brightness', '255');
  await pageHas(page, 'brightness', '255');
}

async function default_is_restored(page) {
  await page.click('#control-brightness ~ .reset');
  await driverHas('brightness', '128');
  await pageHas(page, 'brightness', '128');
}

async function menu_and_boolean_are_set(page) {
  await page.select('#control-menu', '4');
  await driverHas('menu', '4 (Menu Item 4)');
  const before = await onPage(page, 'boolean', 'checked');

  await page.click('#control-boolean');
  await driverHas('boolean', before ? '0' : '1');
  await pageHas(page, 'boolean', !before, 'checked');
}

/* vivid's gain is automatic until somebody says otherwise. */
async function control_that_another_decides_cannot_be_set(page) {
  await pageHas(page, 'gain_automatic', true, 'checked');
  await pageHas(page, 'gain', true, 'disabled');
  await page.click('#control-gain_automatic');
  await driverHas('gain_automatic', '0');
  await pageHas(page, 'gain', false, 'disabled');
  await page.click('#control-gain_automatic');
  await driverHas('gain_automatic', '1');
  await pageHas(page, 'gain', true, 'disabled');
}

async function change_made_elsewhere_appears(page) {
  await order('-c', 'contrast=99,menu=1');
  await pageHas(page, 'contrast', '99');
  await pageHas(page, 'menu', '1');
}

/* With the panel's selects, as somebody would. */
async function apply(page, size) {
  const option = await page.evaluateHandle((size) => [...document.querySelectorAll(
    '.formats option')].find(({ text }) => text === size), size);

  await option.evaluate((option) => {
    option.selected = true;
    option.parentElement.dispatchEvent(new Event('change'));
  });
  await page.click('.formats button');
}

async function clients() {
  return (await (await fetch(`${url}state`)).json()).cameras[0].clients;
}

async function size_is_switched_and_the_viewer_stays(page) {
  const width = () => page.evaluate((selector) => document.querySelector(selector).width,
    picture(1));
  const [{ address }] = await clients();

  assert.equal(await width(), 320);
  await apply(page, '640 × 360');
  await until('a larger picture', async () => await width() === 640);
  await until('a live picture', async () => await readState(page) === 'live');
  assert.deepEqual((await clients()).map((client) => client.address), [address]);
}

async function size_that_does_not_start_is_refused_in_words(page) {
  await order('-c', 'inject_vidioc_streamon_error=1');
  await apply(page, '320 × 180');
  await readsText(page, /cannot start streaming/);
  await until('the size that stayed', () => page.evaluate(() =>
    document.querySelectorAll('.formats select')[1].selectedOptions[0].text === '640 × 360'));
}

let browser;

try {
  browser = await launch('chromium');
  const page = await openPage(browser);

  await until('the guest to serve', async () => {
    assert.equal(guest.exitCode, null, `the guest ended:\n${said}`);
    return (await fetch(`${url}healthz`).catch(() => undefined))?.ok;
  }, 300000);
  await page.setViewport({ width: 1280, height: 800 });
  await page.goto(url);
  await page.waitForSelector('[data-state=live]');
  await page.waitForSelector('[data-do=adjust]:not([hidden])');
  await page.keyboard.press('c');
  await readsText(page, /Brightness/);
  for (const promise of [brightness_set_by_keyboard_changes_the_picture, default_is_restored,
    menu_and_boolean_are_set, control_that_another_decides_cannot_be_set,
    change_made_elsewhere_appears, size_is_switched_and_the_viewer_stays,
    size_that_does_not_start_is_refused_in_words])
    await test(promise.name, () => promise(page));
  await test('nothing_but_the_refusal_is_complained_of', async () =>
    assert.deepEqual((await complaints(page)).filter((text) => !/status of 409/.test(text)), []));
  await test('guest_ends_well', async () => {
    await order();
    assert.deepEqual(await ended, [0, null], said);
  });
  plan();
} finally {
  await browser?.close();
  if (guest.exitCode === null)
    process.kill(-guest.pid);
}
