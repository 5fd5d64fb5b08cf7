/*
 * One camera's live stream, from the server onto the page: always the newest picture, and every
 * picture with its age. Runs in the worker, or in the page where there is none.
 *
 * What there is to tell, tell() is told:
 *   { link: 'connecting' }, { link: 'open' }, { link: 'broken', seconds } to the next attempt
 *   { status } as the server sends it, `since` in ms of the wall clock
 *   { figures } once a second; shownMs is how old the picture shown is by now
 */
import { Figures, ageOf } from './age.js';
import { ServerClock } from './clock.js';
import { Pauses } from './pauses.js';
import { HELLO, PICTURE, RecordReader, STATUS, readJson } from './records.js';

const CLOCK_ROUNDS = 5;
const CLOCK_REFRESH_MS = 30000;
const CLOCK_WRONG_MS = 500; // by what a hello can be late
const FIGURES_MS = 1000;
const SILENCE_MS = 5000; // of a camera that is online, or of what decodes a picture
const FRAME_MS = 16; // after which a screen shows what was drawn
const QUIET_MS = 70; // of pictures that need no acknowledgement, while they are in time,
const QUIET_MOST = 15; // and how many
const LATE_MS = 25; // longer on its way than the quickest,
const FORGOTTEN = 0.001; // which is forgotten at this rate

/* Of the one server that all streams come from. */
const clock = new ServerClock();
let measuredMs = -Infinity;

async function measureClock() {
  measuredMs = performance.now();
  for (let i = 0; i < CLOCK_ROUNDS; i++) {
    const asked = performance.now();
    const response = await fetch('clock', { cache: 'no-store' });
    const { now_us } = await response.json();

    clock.add(asked, performance.now(), now_us / 1000);
  }
}

function keepClock() {
  if (performance.now() - measuredMs > CLOCK_REFRESH_MS)
    measureClock().catch(() => {}); // the stream will tell that the server is gone
}

export class LiveStream {
  #url;
  #show;
  #tell;
  #fps;
  #width;
  #refused; // whether that width was
  #attempt; // AbortController; none while stopped
  #pauses = new Pauses();
  #retry; // ends a pause
  #timer;
  #toldMs = -Infinity; // when figures were
  #figures;
  #online;
  #heardMs;
  #reader;
  #showing; // picture that is being decoded
  #waiting; // picture to show next
  #shown; // picture on the page
  #id; // of this stream, for acknowledgements
  #arrived; // pictures
  #told; // picture that was acknowledged last
  #quickestMs; // from sending to drawing
  #posting = false;

  /* show is one of the ways of show.js. */
  constructor(url, show, tell) {
    this.#url = url;
    this.#show = show;
    this.#tell = tell;
  }

  /* Show what comes until stop(), so many pictures a second (0: all), so wide (0: the camera's). */
  start(fps, width) {
    if (this.#attempt && fps === this.#fps && width === this.#width)
      return;
    this.stop();
    this.#fps = fps;
    this.#width = width;
    this.#refused = false;
    this.#figures = new Figures();
    this.#timer = setInterval(() => {
      if (performance.now() - this.#toldMs >= 2 * FIGURES_MS)
        this.#tick(); // without a picture
    }, FIGURES_MS);
    this.#run();
  }

  /* Let the stream go; the picture stays. */
  stop() {
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#retry?.();
    clearInterval(this.#timer);
  }

  /* Do not wait any longer for the next attempt. */
  retry() {
    this.#retry?.();
  }

  /* The very picture shown, and when it was taken; undefined before the first. */
  snapshot() {
    return this.#shown &&
      { blob: this.#shown.blob, takenMs: Date.now() - this.#age(this.#shown) };
  }

  async #run() {
    let attempt;

    do {
      attempt = this.#attempt = new AbortController();
      this.#tell({ link: 'connecting' });
      await this.#read(attempt.signal).catch(() => {}); // whatever it was, the next may be better
      if (this.#attempt !== attempt)
        return;
      const pause = this.#pauses.next();

      this.#id = undefined;
      this.#tell({ link: 'broken', seconds: pause / 1000 });
      await new Promise((resolve) => {
        this.#retry = resolve;
        setTimeout(resolve, pause);
      });
    } while (this.#attempt === attempt);
  }

  async #read(signal) {
    this.#heardMs = performance.now();
    this.#online = true;
    this.#waiting = undefined;
    this.#arrived = 0;
    this.#quickestMs = Infinity;
    this.#reader = new RecordReader();
    keepClock();
    const size = this.#width && !this.#refused ? `&size=${this.#width}` : '';
    const response = await fetch(`${this.#url}?fps=${this.#fps}${size}`,
      { cache: 'no-store', signal });

    if (!response.ok && size) {
      this.#refused = true; // there are too many others; better the whole than none
      return this.#read(signal);
    }
    if (!response.ok)
      throw new Error(`${this.#url}: ${response.status}`);
    const body = response.body.getReader();

    for (;;) {
      const { done, value } = await body.read();

      if (done || signal.aborted)
        return;
      this.#heardMs = performance.now();
      for (const record of this.#reader.push(value))
        this.#take(record, signal);
    }
  }

  #take(record, signal) {
    if (record.type === HELLO)
      this.#greet(readJson(record));
    else if (record.type === STATUS)
      this.#hearStatus(readJson(record));
    else if (record.type === PICTURE && !record.placeholder)
      this.#offer(record, signal);
  }

  #greet(hello) {
    this.#id = hello.id;
    this.#tell({ link: 'open' });
    if (Math.abs(clock.at(performance.now()) - hello.now_us / 1000) > CLOCK_WRONG_MS) {
      clock.reset();
      measuredMs = -Infinity;
      keepClock();
    }
  }

  #hearStatus({ since_us, ...status }) {
    const since = Date.now() - (clock.at(performance.now()) - since_us / 1000);

    this.#online = status.online;
    this.#tell({ status: since ? { ...status, since } : status });
  }

  /* A newer picture takes the place of one that still waits. */
  #offer(record, signal) {
    const blob = new Blob(record.parts, { type: 'image/jpeg' });

    this.#pauses.reset();
    this.#figures.arrived(blob.size);
    this.#waiting = { ...record, parts: undefined, blob, signal, heardMs: this.#heardMs,
      number: ++this.#arrived };
    if (!this.#showing || this.#heardMs - this.#showing.heardMs > SILENCE_MS)
      this.#showNewest();
  }

  async #showNewest() {
    while (this.#waiting) {
      const picture = this.#showing = this.#waiting;
      const isWanted = () => !picture.signal.aborted && this.#showing === picture;

      this.#waiting = undefined;
      picture.size = await this.#show(picture.blob, isWanted);
      if (this.#showing !== picture)
        return;
      if (picture.size)
        this.#drawn(picture);
    }
    this.#showing = undefined;
  }

  #drawn(picture) {
    const last = this.#shown;

    this.#shown = picture;
    picture.drawnMs = performance.now();
    picture.ageMs = this.#age(picture);
    picture.quiet = this.#quietAfter(picture, last);
    this.#figures.drawn(picture.drawnMs, picture.ageMs);
    if (last?.signal !== picture.signal)
      this.#toldMs = -Infinity; // the first of this attempt is news
    else if (!this.#fps)
      this.#figures.dropped += (picture.serial - last.serial >>> 0) - 1; // serials wrap
    // Together with this picture: when the page changes for figures alone, Firefox has the next one
    // wait for the screen.
    if (picture.drawnMs - this.#toldMs >= FIGURES_MS)
      this.#tick();
    this.#acknowledge(picture);
  }

  /* How many after this one need no acknowledgement. */
  #quietAfter({ ageMs, capturedMs, sentMs }, last) {
    const intervalMs = capturedMs - last?.capturedMs;
    const tookMs = ageMs - (sentMs - capturedMs);

    if (!clock.isSettled() || !(intervalMs > 0))
      return 0;
    this.#quickestMs = Math.min(tookMs, this.#quickestMs + intervalMs * FORGOTTEN);
    return tookMs < this.#quickestMs + LATE_MS ?
      Math.min(QUIET_MOST, Math.round(QUIET_MS / intervalMs)) : 0;
  }

  /*
   * Tell the server what has been drawn, so that it can send no more than the way can carry. One at
   * a time: what is drawn meanwhile is told of by the newest. Only some, unless one is late, for a
   * request costs Firefox 3 ms of CPU time. Not at once, for it keeps the browser from the picture:
   * in Chromium it stood on the screen 3 ms later. Nor by an animation frame, for one that was asked
   * for lets Firefox hold the next picture back until another.
   */
  async #acknowledge({ signal }) {
    if (this.#posting)
      return;
    this.#posting = true;
    while (this.#isDue()) {
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
      if (!this.#id)
        break;
      const told = this.#shown;
      // What may be stored, Firefox keeps an entry of, even of a POST.
      const response = await fetch(`${this.#url}/${this.#id}`, { method: 'POST', signal,
        cache: 'no-store', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ serial: told.serial, age_ms: told.ageMs, next: told.quiet + 1 }),
      }).catch(() => undefined);

      if (!response?.ok)
        break; // the stream itself tells how it is
      this.#told = told;
    }
    this.#posting = false;
  }

  /* Whether the picture shown is to be acknowledged: one that is late always. */
  #isDue() {
    const { number, quiet, signal } = this.#shown;
    const told = this.#told;

    return told?.signal !== signal || number > told.number + Math.min(quiet, told.quiet);
  }

  #age(picture) {
    const now = performance.now();

    return ageOf(picture, now, clock.at(now));
  }

  #tick() {
    const now = performance.now();

    this.#toldMs = now;
    keepClock();
    if (this.#shown)
      this.#tell({ figures: { ...this.#figures.summary(now), ...this.#shown.size,
        shownMs: this.#age(this.#shown) } });
    if (this.#id && this.#online && now - this.#heardMs > SILENCE_MS)
      this.#attempt.abort();
  }
}
