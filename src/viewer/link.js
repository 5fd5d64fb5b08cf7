/*
 * How pictures come: over the live transport, drawn by a worker; drawn by the page, where canvases
 * cannot be handed to a worker; shown by the page in an <img>, where canvases would be slower; or as
 * an <img> of the stream, where the browser lacks what the live transport needs. All are used alike:
 *   element                  what shows the picture
 *   start(fps, width)        take it; fps 0 is all there are, width 0 the camera's own
 *   stop()                   let it go
 *   retry()                  do not wait any longer for the next attempt
 *   snapshot()               a promise of the picture shown and when it was taken, or of nothing
 * and tell what stream.js says; an <img> of the stream has no figures.
 */
import { LiveImage } from './image.js';
import { canvasesAreQuick, inImage, onCanvas } from './show.js';
import { LiveStream } from './stream.js';

/* The worker, once it runs; undefined where there is none. */
function startWorker() {
  return new Promise((resolve) => {
    if (!window.Worker || !HTMLCanvasElement.prototype.transferControlToOffscreen)
      return resolve();
    const worker = new Worker('worker.js', { type: 'module' });

    worker.addEventListener('message', () => resolve(worker), { once: true });
    worker.addEventListener('error', () => resolve());
    // A page that is kept for going back stops its worker where it is, with its streams open.
    addEventListener('pagehide', () => worker.terminate());
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
  });
}

class WorkerLink {
  static #count = 0;
  #key = WorkerLink.#count++;
  #worker;
  #snapshots = [];

  constructor(worker, url, canvas, tell) {
    const offscreen = canvas.transferControlToOffscreen();

    this.element = canvas;
    this.#worker = worker;
    worker.addEventListener('message', ({ data: { key, told } }) => {
      if (key !== this.#key)
        return;
      if ('snapshot' in told)
        this.#snapshots.shift()(told.snapshot);
      else
        tell(told);
    });
    worker.postMessage({ key: this.#key, call: 'open', args: [url, offscreen] }, [offscreen]);
  }

  start(fps, width) {
    this.#call('start', fps, width);
  }

  stop() {
    this.#call('stop');
  }

  retry() {
    this.#call('retry');
  }

  snapshot() {
    return new Promise((resolve) => {
      this.#snapshots.push(resolve);
      this.#call('snapshot');
    });
  }

  #call(call, ...args) {
    this.#worker.postMessage({ key: this.#key, call, args });
  }
}

class PageLink extends LiveStream {
  constructor(url, element, show, tell) {
    super(url, show(element), tell);
    this.element = element;
  }

  async snapshot() {
    return super.snapshot();
  }
}

/* Gives a function that opens the link of a camera: (name, tell). */
export async function chooseLink() {
  const canLive = window.createImageBitmap && window.ReadableStream && window.AbortController;
  const canDraw = canLive && canvasesAreQuick();
  const worker = canDraw && await startWorker();
  const canvas = () => document.createElement('canvas');
  const image = (name) => Object.assign(new Image(), { alt: `Live picture of ${name}` });

  if (worker)
    return (name, tell) => new WorkerLink(worker, `${name}/live`, canvas(), tell);
  if (canDraw)
    return (name, tell) => new PageLink(`${name}/live`, canvas(), onCanvas, tell);
  if (canLive)
    return (name, tell) => new PageLink(`${name}/live`, image(name), inImage, tell);
  return (name, tell) => new LiveImage(`${name}/stream`, image(name), tell);
}
