/*
 * The page: a tile for every camera that /state names, its picture a live <img>.
 *
 * Browsers keep quiet when a stream ends. Chromium fires `load` for its first picture and nothing
 * ever after; Firefox fires it for each picture, but shows a canvas old ones. So a stream counts as
 * broken when its <img> fails, or when there is neither a `load` nor a change in its pixels while
 * the camera delivers; the server counts as gone when /state does not come.
 * All URLs are relative, to work behind a proxy's prefix.
 */

const POLL_MS = 1000;
const ANSWER_MS = 5000; // a server that takes longer is as good as gone
const MISSES_ALLOWED = 1; // of /state in a row, before the pictures go too
const PAUSE_FIRST_MS = 1000;
const PAUSE_MOST_MS = 15000;
const STILL_POLLS_FIRST = 5;
const STILL_POLLS_MOST = 80; // a lens cap without noise is reconnected rarely

// Over HTTP/1.1 a browser makes six connections; one of them is for /state.
const [{ nextHopProtocol }] = performance.getEntriesByType('navigation');
const STREAMS_MAX = nextHopProtocol === 'http/1.1' ? 5 : Infinity;

/* Pauses between attempts, growing while they fail. */
class Pauses {
  #next = PAUSE_FIRST_MS;

  next() {
    const pause = this.#next;
    this.#next = Math.min(pause * 2, PAUSE_MOST_MS);
    return pause;
  }

  reset() {
    this.#next = PAUSE_FIRST_MS;
  }
}

/* A small sample of what an image shows right now, as text to compare; undefined for nothing. */
const sampler = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
sampler.imageSmoothingEnabled = false; // averaging would hide small movements

function sample(image) {
  if (!image.naturalWidth)
    return undefined;
  try {
    sampler.drawImage(image, 0, 0, 64, 36);
  } catch {
    return undefined; // cut off within a picture
  }
  return sampler.getImageData(0, 0, 64, 36).data.join();
}

/* An <img> that shows a stream from start() to stop(), and takes it up again when it breaks. */
class LiveImage {
  #image;
  #url;
  #onstate;
  #running = false;
  #attempts = 0;
  #timer;
  #pauses = new Pauses();
  #sample;
  #still = 0;
  #stillAllowed = STILL_POLLS_FIRST;

  /* onstate('connecting'), ('live') or ('broken', seconds to the next attempt). */
  constructor(image, url, onstate) {
    this.#image = image;
    this.#url = url;
    this.#onstate = onstate;
    image.addEventListener('load', () => this.#arrived());
    image.addEventListener('error', () => this.#failed());
  }

  start() {
    if (this.#running)
      return;
    this.#running = true;
    this.#onstate('connecting');
    this.#connect();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#image.removeAttribute('src');
  }

  /* To be called at every poll while the camera delivers: does our picture move? */
  watch() {
    if (!this.#running || !this.#image.hasAttribute('src'))
      return;
    const now = sample(this.#image);

    if (now !== this.#sample) {
      this.#sample = now;
      this.#still = 0;
      this.#stillAllowed = STILL_POLLS_FIRST;
    } else if (++this.#still >= this.#stillAllowed) {
      this.#still = 0;
      this.#stillAllowed = Math.min(this.#stillAllowed * 2, STILL_POLLS_MOST);
      this.#connect();
    }
  }

  #connect() {
    // A URL seen before would be answered from the list of available images, without a request.
    this.#image.src = `${this.#url}?try=${++this.#attempts}`;
  }

  #arrived() {
    if (!this.#running)
      return;
    this.#still = 0;
    this.#pauses.reset();
    this.#onstate('live');
  }

  #failed() {
    if (!this.#running)
      return;
    const pause = this.#pauses.next();
    this.#image.removeAttribute('src');
    this.#timer = setTimeout(() => this.#connect(), pause);
    this.#onstate('broken', pause / 1000);
  }
}

/* One camera on the page. */
class Tile {
  #status;
  #notice;
  #facts;
  #picture;
  #live;
  #camera = {};

  constructor(name) {
    this.name = name;
    this.element = document.getElementById('tile').content.firstElementChild.cloneNode(true);
    const part = (selector) => this.element.querySelector(selector);

    part('h2').textContent = name;
    part('.live').alt = `Live picture of ${name}`;
    part('.snapshot').href = `${name}/snapshot`;
    part('.snapshot').ariaLabel = `Snapshot of ${name}`;
    part('.stream').href = `${name}/stream`;
    part('.stream').ariaLabel = `Raw stream of ${name}`;
    this.#status = part('.status');
    this.#notice = part('.notice');
    this.#facts = part('.facts');
    this.#picture = part('.picture');
    this.#live = new LiveImage(part('.live'), `${name}/stream`, (state, seconds) => {
      if (state === 'live')
        this.#say('live', 'Live', '');
      else if (state === 'connecting')
        this.#say('waiting', 'Connecting', '');
      else
        this.#say('waiting', 'Interrupted',
          `The picture was interrupted. Trying again in ${seconds} s.`);
    });
  }

  /* What /state says of the camera now. */
  update(camera) {
    const { width, height } = camera.size ?? {};
    const fps = camera.captured_fps ?? camera.fps;

    this.#camera = camera;
    if (width && height)
      this.element.style.setProperty('--ratio', `${width} / ${height}`);
    this.#facts.textContent = [
      width && height ? `${width} × ${height}` : '',
      fps ? `${fps.toFixed(fps < 10 ? 1 : 0)} fps` : '',
    ].filter(Boolean).join(' · ');
    if (camera.online)
      this.#live.watch();
  }

  /* One of several, or the large one, which leads back to them. */
  showInGrid() {
    this.#place(false, `#${this.name}`, `Enlarge ${this.name}`);
  }

  showLarge() {
    this.#place(true, '#', 'Show all cameras');
  }

  /* The only camera there is: large, and leading nowhere. */
  showAlone() {
    this.#place(true);
  }

  hide() {
    this.element.hidden = true;
    this.stop('Paused');
  }

  /* Show the live picture, or say why there is none. */
  start() {
    if (this.#camera.online)
      this.#live.start();
    else
      this.stop('Offline', this.#camera.reason || 'The camera is offline.', 'offline');
  }

  /* Let the stream go until start(). */
  stop(status, notice = '', state = 'waiting') {
    this.#live.stop();
    this.#say(state, status, notice);
  }

  #place(large, href, label) {
    this.element.hidden = false;
    this.element.classList.toggle('large', large);
    if (href) {
      this.#picture.href = href;
      this.#picture.ariaLabel = label;
    }
  }

  #say(state, status, notice) {
    this.element.dataset.state = state;
    // Setting the same text again would be read out again.
    if (this.#status.textContent !== status)
      this.#status.textContent = status;
    if (this.#notice.textContent !== notice)
      this.#notice.textContent = notice;
  }
}

const main = document.getElementById('cameras');
const summary = document.getElementById('summary');
const pauses = new Pauses();
let tiles = [];
let misses = 0;
let polling = false;
let timer;

function summarise(text) {
  if (summary.textContent !== text)
    summary.textContent = text;
}

/* Give each tile its place: all of them, or the one that the URL's fragment names. */
function arrange() {
  const wanted = location.hash.slice(1);
  const alone = tiles.length === 1;
  const large = alone ? tiles[0] : tiles.find((tile) => tile.name === wanted);

  main.classList.toggle('single', Boolean(large));
  document.title = large ? `${large.name} – Fanlight` : 'Fanlight';
  for (const tile of tiles) {
    if (!large)
      tile.showInGrid();
    else if (tile !== large)
      tile.hide();
    else if (alone)
      tile.showAlone();
    else
      tile.showLarge();
  }
  startPictures(large ? [large] : tiles);
}

function startPictures(shown) {
  if (document.hidden || misses > MISSES_ALLOWED)
    return;
  shown.slice(0, STREAMS_MAX).forEach((tile) => tile.start());
  shown.slice(STREAMS_MAX).forEach((tile) => tile.stop('Not shown',
    `A browser has room for ${STREAMS_MAX} streams over HTTP/1.1. Use HTTPS, or enlarge this.`));
}

function show(cameras) {
  const names = cameras.map((camera) => camera.name);

  if (names.join('/') !== tiles.map((tile) => tile.name).join('/')) {
    tiles.forEach((tile) => tile.hide());
    tiles = names.map((name) => new Tile(name));
    main.replaceChildren(...tiles.map((tile) => tile.element));
  }
  cameras.forEach((camera, i) => tiles[i].update(camera));
  arrange();

  const online = cameras.filter((camera) => camera.online).length;
  summarise(cameras.length === 1 ? '' : `${online} of ${cameras.length} cameras online`);
}

async function fetchCameras() {
  const response = await fetch('state',
    { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });

  if (!response.ok)
    throw new Error(`/state: ${response.status}`);
  return (await response.json()).cameras ?? [];
}

async function poll() {
  let pause = POLL_MS;

  clearTimeout(timer);
  if (polling || document.hidden)
    return;
  polling = true;
  const cameras = await fetchCameras().catch(() => undefined);

  polling = false;
  if (cameras) {
    misses = 0;
    pauses.reset();
    show(cameras);
  } else if (++misses > MISSES_ALLOWED) {
    pause = pauses.next();
    tiles.forEach((tile) => tile.stop('No connection', 'No connection to the server.'));
    summarise(`The server does not answer. Trying again in ${pause / 1000} s.`);
  }
  timer = setTimeout(poll, pause);
}

addEventListener('hashchange', arrange);
addEventListener('online', poll);
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && location.hash)
    location.hash = '';
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden)
    tiles.forEach((tile) => tile.stop('Paused'));
  else
    poll();
});
poll();
