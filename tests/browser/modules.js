/* The page's modules that need no browser. */
import assert from 'node:assert/strict';

import { Figures, ageOf, percentile } from '../../src/viewer/age.js';
import { ServerClock } from '../../src/viewer/clock.js';
import { columnsFor, fpsFor, widthFor } from '../../src/viewer/layout.js';
import { Pauses } from '../../src/viewer/pauses.js';
import { HELLO, PICTURE, RecordReader, readJson } from '../../src/viewer/records.js';
import { fileName, sayAge, sayBitrate, sayTime } from '../../src/viewer/text.js';
import { plan, test } from './tap.js';

/* A record as the server writes it, with a header of 48 bytes and some more that are not known. */
function makeRecord(type, payload, { extra = 0, flags = 0, serial = 0, captured = 0n } = {}) {
  const header = Buffer.alloc(48 + extra, 0xaa);

  header.write('FANL');
  header.set([1, type], 4);
  header.writeUInt16BE(48 + extra, 6);
  [payload.length, flags, 7, serial].forEach((number, i) =>
    header.writeUInt32BE(number, 8 + 4 * i));
  [captured, captured + 1500n, captured + 2000n].forEach((number, i) =>
    header.writeBigUInt64BE(number, 24 + 8 * i));
  return Buffer.concat([header, payload]);
}

const text = ({ parts }) => Buffer.concat(parts).toString();

async function records_are_whole_however_the_bytes_come() {
  const bytes = Buffer.concat([
    makeRecord(HELLO, Buffer.from('{"id":"é"}')),
    makeRecord(PICTURE, Buffer.from('picture'), { extra: 16, serial: 3, captured: 5000000n }),
    makeRecord(9, Buffer.alloc(0)),
    makeRecord(PICTURE, Buffer.alloc(100000, 1), { flags: 1 }),
  ]);

  for (const step of [1, 7, 47, 48, 49, 1000, bytes.length]) {
    const reader = new RecordReader();
    const records = [];

    for (let at = 0; at < bytes.length; at += step)
      records.push(...reader.push(bytes.subarray(at, at + step)));
    assert.deepEqual(records.map(({ type }) => type), [HELLO, PICTURE, 9, PICTURE]);
    assert.equal(readJson(records[0]).id, 'é');
    assert.equal(text(records[1]), 'picture');
    const { serial, capturedMs, encodedMs, sentMs, placeholder } = records[1];

    assert.deepEqual({ serial, capturedMs, encodedMs, sentMs, placeholder },
      { serial: 3, capturedMs: 5000, encodedMs: 5001.5, sentMs: 5002, placeholder: false });
    assert.equal(text(records[3]).length, 100000);
    assert.ok(records[3].placeholder);
  }
}

async function a_picture_may_come_in_several_records() {
  const reader = new RecordReader();
  const records = reader.push(Buffer.concat([
    makeRecord(PICTURE, Buffer.from('one'), { flags: 2, serial: 1 }),
    makeRecord(PICTURE, Buffer.from('two'), { flags: 2, serial: 1 }),
    makeRecord(PICTURE, Buffer.alloc(0), { serial: 1 }),
    makeRecord(PICTURE, Buffer.from('no'), { flags: 2, serial: 2 }),
    makeRecord(PICTURE, Buffer.alloc(0), { flags: 4, serial: 2 }),
    makeRecord(PICTURE, Buffer.from('next'), { serial: 3 }),
  ]));

  assert.deepEqual(records.map((record) => [record.serial, text(record)]),
    [[1, 'onetwo'], [3, 'next']]);
}

async function what_is_no_record_is_refused() {
  const good = makeRecord(PICTURE, Buffer.from('x'));
  const spoil = (at, value) => Buffer.from(good).fill(value, at, at + 1);

  for (const bad of [spoil(0, 0), spoil(4, 2), spoil(7, 47), spoil(8, 0x7f)])
    assert.throws(() => new RecordReader().push(bad), /no record/);
}

async function quickest_round_trip_knows_the_clock_best() {
  const clock = new ServerClock();

  assert.equal(clock.at(0), undefined);
  clock.add(1000, 1100, 51090); // 40 ms wrong, all of it on the way there
  clock.add(1100, 1102, 51101);
  clock.add(1102, 1302, 51110);
  assert.equal(clock.at(2000), 52000);
  assert.equal(clock.isSettled(), false);
  // Long after, a slower one that is fresh knows better than a quick one that has drifted away.
  clock.add(1e7, 1e7 + 20, 1e7 + 50110);
  assert.equal(clock.at(1e7 + 20), 1e7 + 50120);
  clock.add(1e7 + 20, 1e7 + 50, 1e7 + 50140);
  assert.equal(clock.isSettled(), true);
  clock.reset();
  assert.equal(clock.at(0), undefined);
  assert.equal(clock.isSettled(), false);
}

async function wrong_clock_makes_no_picture_younger_than_it_can_be() {
  const picture = { capturedMs: 1000, sentMs: 1008, heardMs: 50 };

  assert.equal(ageOf(picture, 54, 1015), 15);
  assert.equal(ageOf(picture, 54, 1003), 12);
  assert.equal(ageOf(picture, 54, undefined), 12);
}

async function figures_are_of_the_last_pictures() {
  const figures = new Figures();

  assert.equal(figures.summary(0).fps, undefined);
  assert.equal(figures.summary(0).ageMs, undefined);
  figures.arrived(1e6);
  figures.drawn(0, 5000);
  for (let i = 1; i <= 100; i++) {
    figures.arrived(1250);
    figures.drawn(10000 + i * 20, i);
  }
  figures.arrived(1000);
  figures.dropped++;
  assert.deepEqual(figures.summary(12000), { ageMs: 100, p50Ms: 50, p95Ms: 95, fps: 50,
    bitsPerSecond: 500000, dropped: 1 });
  assert.equal(figures.summary(30000).fps, undefined, 'nothing is shown any more');
}

async function percentiles_are_of_what_there_is() {
  assert.equal(percentile([], .5), undefined);
  assert.equal(percentile([3], .95), 3);
  assert.equal(percentile([1, 2], .5), 1);
}

async function pauses_grow_until_something_succeeds() {
  const pauses = new Pauses();

  assert.deepEqual(Array.from({ length: 6 }, () => pauses.next()),
    [1000, 2000, 4000, 8000, 15000, 15000]);
  pauses.reset();
  assert.equal(pauses.next(), 1000);
}

async function wall_fills_the_window() {
  const columns = (...of) => columnsFor(...of).columns;

  assert.deepEqual([1, 2, 4, 9, 30].map((n) => columns(n, 1248, 740)), [1, 2, 2, 3, 6]);
  assert.deepEqual([1, 4, 5, 64].map((n) => columns(n, 374, 780)), [1, 1, 2, 2]);
  // As wide as the window, or as high.
  assert.equal(columnsFor(2, 1248, 740).width, 618);
  assert.equal(columnsFor(4, 1248, 740).width, Math.floor(((740 - 12) / 2 - 40) * 16 / 9));
  // Never smaller than can be seen.
  assert.deepEqual(columnsFor(64, 700, 400), { columns: 4, width: 166 });
  assert.deepEqual(columnsFor(3, 374, 780), { columns: 1, width: 374 });
}

async function small_tiles_ask_for_less() {
  assert.deepEqual([100, 239, 240, 479, 480, 4000].map(fpsFor), [5, 5, 15, 15, 0, 0]);
}

async function pictures_are_as_wide_as_tiles_and_of_few_widths() {
  assert.deepEqual([0, 1, 320, 321, 640, 641].map((pixels) => widthFor(pixels, 4000)),
    [320, 320, 320, 640, 640, 1280]);
  // Never wider than the camera's own, nor as wide, nor where that is not known yet.
  assert.deepEqual([[300, 320], [300, 640], [700, 640], [300, 0], [300, undefined]]
    .map(([pixels, own]) => widthFor(pixels, own)), [0, 320, 0, 0, 0]);
}

async function things_are_said_shortly() {
  const noon = new Date(2030, 4, 6, 12, 3, 5).getTime();

  assert.equal(sayAge(13.6), '14 ms');
  assert.equal(sayAge(2345), '2.3 s');
  assert.equal(sayAge(undefined), '–');
  assert.equal(sayBitrate(320400), '320 kbit/s');
  assert.equal(sayBitrate(12340000), '12.3 Mbit/s');
  assert.match(sayTime(noon, noon), /^12:03/);
  assert.match(sayTime(noon, noon + 864e5), /6.*12:03|12:03.*6/);
  assert.equal(fileName('door', noon), 'door-2030-05-06_12-03-05.jpg');
}

for (const promise of [
  records_are_whole_however_the_bytes_come,
  a_picture_may_come_in_several_records,
  what_is_no_record_is_refused,
  quickest_round_trip_knows_the_clock_best,
  wrong_clock_makes_no_picture_younger_than_it_can_be,
  figures_are_of_the_last_pictures,
  percentiles_are_of_what_there_is,
  pauses_grow_until_something_succeeds,
  wall_fills_the_window,
  small_tiles_ask_for_less,
  pictures_are_as_wide_as_tiles_and_of_few_widths,
  things_are_said_shortly,
])
  await test(promise.name, promise);
plan();
