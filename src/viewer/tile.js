/* One camera on the page: its picture, its name, and an honest word about how it is. */
import { fpsFor, widthFor } from './layout.js';
import { say, sayAge, sayFps, sayTime } from './text.js';

const LATE_MS = 2000; // an older picture is not shown as if it were live

export class Tile {
  visible = false;
  #part;
  #link;
  #camera = {};
  #linkState = 'connecting';
  #seconds;
  #figures;
  #heardMs; // when figures came last
  #shown = false; // something, ever
  #fresh = false; // something of this run
  #blocked; // why there is no stream, a sentence
  #paused; // when, ms of the wall clock
  #large = false;
  #running = false;
  #onchange;

  /* onchange(tile) is called when there are new figures or another state. */
  constructor(name, openLink, onchange) {
    this.name = name;
    this.#onchange = onchange;
    this.element = document.getElementById('tile').content.firstElementChild.cloneNode(true);
    this.#part = (selector) => this.element.querySelector(selector);
    this.element.setAttribute('aria-label', `Camera ${name}`);
    this.#part('h2').textContent = name;
    this.#link = openLink(name, (told) => this.#hear(told));
    this.#link.element.className = 'live';
    this.#part('.picture').append(this.#link.element);
  }

  get camera() {
    return this.#camera;
  }

  get figures() {
    return this.#figures;
  }

  get stage() {
    return this.#part('.stage');
  }

  get paused() {
    return this.#paused !== undefined;
  }

  set paused(paused) {
    this.#paused = paused ? Date.now() : undefined;
    this.render();
  }

  /* What is known of the camera now, all of it or in part. */
  update(camera) {
    this.#camera = { ...this.#camera, ...camera };
    const { width, height } = this.#figures ?? this.#camera.size ?? {};

    if (width && height)
      this.element.style.setProperty('--ratio', `${width} / ${height}`);
    this.render();
  }

  /* As one of several, or large and leading back to them if there are any. */
  place(large, alone) {
    const picture = this.#part('.picture');

    this.#large = large;
    this.element.hidden = false;
    this.element.classList.toggle('large', large);
    if (alone)
      return;
    picture.href = large ? '#' : `#${this.name}`;
    picture.ariaLabel = large ? 'Show all cameras' : `Enlarge ${this.name}`;
  }

  hide() {
    this.element.hidden = true;
  }

  focus() {
    this.#part('.picture').focus({ preventScroll: this.#large });
  }

  /* Take the stream; room says whether the browser has a connection left for it. */
  start(room) {
    this.#blocked = room ? undefined : 'Over HTTP/1.1 a browser has too few connections. ' +
      'Use HTTPS, or enlarge this camera.';
    if (!room || this.paused)
      return this.stop();
    this.#running = true;
    const { clientWidth } = this.element;
    const { format, size } = this.#camera;

    if (this.#large || format === 'MJPG') // those cost the server least as they are
      this.#link.start(this.#large ? 0 : fpsFor(clientWidth), 0);
    else
      this.#link.start(fpsFor(clientWidth), widthFor(clientWidth * devicePixelRatio, size?.width));
    this.render();
  }

  stop() {
    this.#running = false;
    this.#fresh = false;
    this.#linkState = 'connecting';
    this.#link.stop();
    this.render();
  }

  retry() {
    this.#link.retry();
  }

  snapshot() {
    return this.#link.snapshot();
  }

  #hear(told) {
    if (!this.#running)
      return;
    if (told.link) {
      this.#linkState = told.link;
      this.#seconds = told.seconds;
      this.#fresh ||= told.shown ?? false;
    }
    if (told.figures) {
      this.#figures = told.figures;
      this.#heardMs = performance.now();
      this.#fresh = true;
    }
    this.#shown ||= this.#fresh;
    this.update(told.status ?? {});
  }

  /* How old the picture is that is shown, ms; undefined where nobody knows. */
  #shownMs() {
    return this.#heardMs === undefined ? undefined :
      this.#figures.shownMs + performance.now() - this.#heardMs;
  }

  /* To be called now and then as well: that nothing happens is news. */
  render() {
    const [state, status, notice] = this.#judge();
    const { fps, p50Ms } = this.#figures ?? {};

    this.element.dataset.state = state;
    this.element.classList.toggle('shown', this.#shown);
    say(this.#part('.status'), status);
    say(this.#part('.notice'), notice);
    say(this.#part('.facts'), [sayFps(fps ?? this.#camera.captured_fps),
      p50Ms === undefined ? '' : sayAge(p50Ms)].filter(Boolean).join(' · '));
    this.#onchange(this);
  }

  /* The state, a word for it, and a sentence where the word is not enough. */
  #judge() {
    const { online, reason, since } = this.#camera;
    const shownMs = this.#shownMs();

    if (this.paused)
      return ['paused', 'Paused', `Paused at ${sayTime(this.#paused)}.`];
    if (this.#blocked)
      return ['waiting', 'Not shown', this.#blocked];
    if (this.#linkState === 'broken')
      return ['waiting', 'Reconnecting',
        `The picture was interrupted. Trying again in ${this.#seconds} s.`];
    if (online === false)
      return ['offline', 'Offline',
        `Offline since ${sayTime(since)}. ${reason || 'The camera delivers nothing.'}`];
    if (!this.#fresh || this.#linkState === 'connecting')
      return ['waiting', 'Connecting', ''];
    if (shownMs > LATE_MS)
      return ['late', 'Late', `This picture is ${sayAge(shownMs)} old.`];
    return ['live', 'Live', ''];
  }
}
