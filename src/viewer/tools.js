/* What can be done with a camera: the buttons and figures below the large one, and the keys. */
import { Graph } from './graph.js';
import { LiveImage } from './image.js';
import { fileName, say, sayAge, sayBitrate, sayFps, saySize } from './text.js';

const RAW = ['stream', 'snapshot', 'live', 'controls'];

export class Tools {
  #element;
  #wall;
  #controls;
  #graph;
  #figures; // that were added to the graph last
  #shown; // tile
  #byKey = new Map();

  constructor(element, wall, controls) {
    this.#element = element;
    this.#wall = wall;
    this.#controls = controls;
    this.#graph = new Graph(element.querySelector('svg.graph'));
    this.#action('snapshot', 's', (tile) => this.#snapshot(tile));
    this.#action('pause', ' ', (tile) => wall.pause(tile));
    this.#action('float', 'p', (tile) => this.#float(tile), window.documentPictureInPicture);
    this.#action('full', 'f', (tile) => this.#fullScreen(tile), document.fullscreenEnabled);
    this.#action('addresses', 'u', (tile) => this.#showAddresses(tile));
    this.#action('adjust', 'c', () => controls.toggle());
    controls.onchange = () => this.#renderControls();
    this.#renderControls();
    document.getElementById('help-open').addEventListener('click', () => this.#help());
    addEventListener('keydown', (event) => this.#key(event));
  }

  /* A tile, maybe the large one, has something new. */
  show(tile) {
    if (tile !== this.#wall.large && this.#wall.large !== this.#shown)
      tile = this.#wall.large;
    if (tile !== this.#wall.large)
      return;
    if (tile !== this.#shown)
      this.#moveTo(tile);
    if (tile)
      this.#render(tile);
  }

  #moveTo(tile) {
    this.#shown = tile;
    this.#graph.clear();
    document.title = tile && this.#wall.tiles.length > 1 ? `${tile.name} – Fanlight` : 'Fanlight';
    tile?.element.append(this.#element);
    this.#controls.show(tile?.name);
  }

  #render(tile) {
    const { figures } = tile;
    const put = (name, text) => say(this.#element.querySelector(`[data-figure=${name}]`), text);
    const pause = this.#button('pause');

    this.#controls.hear(tile.camera);
    pause.classList.toggle('on', tile.paused);
    pause.setAttribute('aria-label', tile.paused ? 'Go on' : 'Pause');
    this.#element.classList.toggle('untimed', !figures);
    if (!figures || figures === this.#figures)
      return;
    this.#figures = figures;
    put('age', sayAge(figures.ageMs));
    put('p50', sayAge(figures.p50Ms));
    put('p95', sayAge(figures.p95Ms));
    put('size', saySize(figures));
    put('fps', sayFps(figures.fps) || '–');
    put('bitrate', sayBitrate(figures.bitsPerSecond));
    put('dropped', `${figures.dropped}`);
    if (figures.ageMs !== undefined)
      this.#graph.add(figures.ageMs);
  }

  #renderControls() {
    const button = this.#button('adjust');

    button.hidden = !this.#controls.available;
    button.setAttribute('aria-expanded', this.#controls.open);
  }

  #button(name) {
    return this.#element.querySelector(`[data-do=${name}]`);
  }

  #action(name, key, act, possible = true) {
    const button = this.#button(name);

    button.hidden = !possible;
    button.addEventListener('click', () => act(this.#shown));
    if (possible)
      this.#byKey.set(key, act);
  }

  #key(event) {
    const { target, key } = event;
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') ||
        target.matches('input, select, textarea') || key === ' ' && target.matches('button'))
      return;
    if (key === '?') {
      this.#help();
    } else if (key === 'Escape' && location.hash && !document.fullscreenElement) {
      location.hash = '';
    } else if (steps[key]) {
      this.#wall.move(steps[key], key === 'ArrowUp' || key === 'ArrowDown');
      event.preventDefault();
    } else if (this.#byKey.has(key) && this.#wall.current) {
      this.#byKey.get(key)(this.#wall.current);
      event.preventDefault();
    }
  }

  #help() {
    document.getElementById('help').showModal();
  }

  /* Save the very picture that is shown; where that is not known, the newest. */
  async #snapshot(tile) {
    const picture = await tile.snapshot();
    const link = document.createElement('a');

    link.href = picture ? URL.createObjectURL(picture.blob) : `${tile.name}/snapshot`;
    link.download = fileName(tile.name, picture?.takenMs ?? Date.now());
    link.click();
    if (picture)
      setTimeout(() => URL.revokeObjectURL(link.href), 60000); // when it is certainly saved
  }

  #fullScreen(tile) {
    // A refusal leaves things as they were.
    if (document.fullscreenElement)
      document.exitFullscreen().catch(() => {});
    else
      tile.stage.requestFullscreen().catch(() => {});
  }

  /*
   * A small window that stays on top. It has an <img> of its own: Chromium does not show any more
   * what a worker draws once a canvas has been in another window.
   */
  async #float({ name, stage }) {
    const { documentPictureInPicture } = window;

    if (documentPictureInPicture.window)
      return documentPictureInPicture.window.close();
    const small = await documentPictureInPicture.requestWindow(
      { width: 480, height: Math.round(480 * stage.clientHeight / stage.clientWidth) });
    const style = small.document.createElement('link');
    const picture = small.document.createElement('img');
    const image = new LiveImage(new URL(`${name}/stream`, location.href), picture, () => {});

    Object.assign(style, { rel: 'stylesheet', href: new URL('style.css', location.href) });
    Object.assign(picture, { className: 'live', alt: `Live picture of ${name}` });
    Object.assign(small.document, { title: name });
    small.document.head.append(style);
    small.document.body.className = 'floating';
    small.document.body.append(picture);
    image.start(0);
    small.addEventListener('pagehide', () => image.stop());
  }

  #showAddresses(tile) {
    const dialog = document.getElementById('addresses');
    const row = dialog.querySelector('template');

    dialog.querySelector('h2').textContent = `Addresses of ${tile.name}`;
    dialog.querySelector('dl').replaceChildren(...RAW.flatMap((kind) => {
      const part = row.content.cloneNode(true);
      const url = new URL(`${tile.name}/${kind}`, location.href).href;

      part.querySelector('dt').textContent = kind;
      Object.assign(part.querySelector('a'), { href: url, textContent: url });
      this.#offerCopy(part.querySelector('button'), kind, url);
      return [...part.children];
    }));
    dialog.showModal();
  }

  #offerCopy(button, kind, url) {
    button.ariaLabel = `Copy the address: ${kind}`;
    button.hidden = !navigator.clipboard; // which browsers have in secure contexts only
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(url);
      button.textContent = 'Copied';
    });
  }
}
