/*
 * A stream in an <img>, taken up again when it breaks.
 *
 * Browsers keep quiet when a stream ends. Chromium fires `load` for its first picture and nothing
 * ever after; Firefox fires it for each picture, but shows a canvas old ones. So a stream counts as
 * broken when its <img> fails, or when there is neither a `load` nor a change in its pixels.
 */
import { Pauses } from './pauses.js';

const LOOK_MS = 1000;
const STILL_LOOKS_FIRST = 5;
const STILL_LOOKS_MOST = 80; // a lens cap without noise is reconnected rarely

/* A small sample of what an image shows right now, as text to compare; undefined for nothing. */
function sample(image) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 36 });
  const context = canvas.getContext('2d', { willReadFrequently: true });

  if (!image.naturalWidth)
    return undefined;
  context.imageSmoothingEnabled = false; // averaging would hide small movements
  try {
    context.drawImage(image, 0, 0, 64, 36);
  } catch {
    return undefined; // cut off within a picture
  }
  return context.getImageData(0, 0, 64, 36).data.join();
}

export class LiveImage {
  element;
  #url;
  #tell;
  #fps;
  #width;
  #refused; // whether that width was, perhaps
  #running = false;
  #attempts = 0;
  #looking;
  #waiting;
  #pauses = new Pauses();
  #sample;
  #still = 0;
  #stillAllowed = STILL_LOOKS_FIRST;

  constructor(url, image, tell) {
    this.element = image;
    this.#url = url;
    this.#tell = tell;
    image.addEventListener('load', () => this.#arrived());
    image.addEventListener('error', () => this.#failed());
  }

  start(fps, width) {
    if (this.#running && fps === this.#fps && width === this.#width)
      return;
    this.stop();
    this.#fps = fps;
    this.#width = width;
    this.#refused = false;
    this.#running = true;
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#tell({ link: 'connecting' });
    this.#connect();
  }

  stop() {
    this.#running = false;
    clearInterval(this.#looking);
    clearTimeout(this.#waiting);
    this.#clear();
  }

  retry() {
    if (this.#running && !this.element.hasAttribute('src'))
      this.#connect();
  }

  async snapshot() {
    return undefined; // an <img> tells nobody which picture it shows
  }

  /* Does our picture move? */
  #look() {
    if (!this.element.hasAttribute('src'))
      return;
    const now = sample(this.element);

    if (now !== this.#sample) {
      this.#sample = now;
      this.#still = 0;
      this.#stillAllowed = STILL_LOOKS_FIRST;
    } else if (++this.#still >= this.#stillAllowed) {
      this.#still = 0;
      this.#stillAllowed = Math.min(this.#stillAllowed * 2, STILL_LOOKS_MOST);
      this.#connect();
    }
  }

  #connect() {
    clearTimeout(this.#waiting);
    // A URL seen before would be answered from the list of available images, without a request.
    this.element.src = `${this.#url}?try=${++this.#attempts}&fps=${this.#fps}` +
      (this.#width && !this.#refused ? `&size=${this.#width}` : '');
    this.element.hidden = false;
  }

  #clear() {
    this.element.removeAttribute('src');
    this.element.hidden = true;
  }

  #arrived() {
    if (!this.#running)
      return;
    this.#still = 0;
    this.#pauses.reset();
    this.#tell({ link: 'open', shown: true });
  }

  #failed() {
    if (!this.#running)
      return;
    const pause = this.#pauses.next();

    this.#refused = true;
    this.#clear();
    this.#waiting = setTimeout(() => this.#connect(), pause);
    this.#tell({ link: 'broken', seconds: pause / 1000 });
  }
}
