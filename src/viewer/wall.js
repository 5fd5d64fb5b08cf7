/* All cameras: which of them are on the page, how large, and which of those take their streams. */
import { columnsFor } from './layout.js';
import { Tile } from './tile.js';

// Over HTTP/1.1 a browser makes six connections; one is for /state, one to acknowledge.
const [{ nextHopProtocol }] = performance.getEntriesByType('navigation');
const STREAMS_MOST = nextHopProtocol === 'http/1.1' ? 4 : Infinity;

export class Wall {
  large; // tile
  tiles = [];
  #main;
  #openLink;
  #onchange;
  #seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries)
      this.tiles.find((tile) => tile.element === target).visible = isIntersecting;
    this.#stream();
  });

  /* onchange(tile) is called when the tile, which may be the large one, has something new. */
  constructor(main, openLink, onchange) {
    this.#main = main;
    this.#openLink = openLink;
    this.#onchange = onchange;
    new ResizeObserver(() => this.arrange()).observe(main);
    addEventListener('hashchange', () => this.arrange());
    addEventListener('pagehide', () => this.#release());
    document.addEventListener('visibilitychange', () => this.#stream());
  }

  /* What /state says of the cameras. */
  show(cameras) {
    const names = cameras.map((camera) => camera.name);

    if (names.join('/') !== this.tiles.map((tile) => tile.name).join('/')) {
      this.#release();
      this.#seen.disconnect();
      this.tiles = names.map((name) => new Tile(name, this.#openLink, this.#onchange));
      this.#main.replaceChildren(...this.tiles.map((tile) => tile.element));
      this.tiles.forEach((tile) => this.#seen.observe(tile.element));
    }
    cameras.forEach((camera, i) =>
      this.tiles[i].update({ ...camera, since: camera.since * 1000 }));
    this.arrange();
  }

  /* Lay the tiles out as the address and the window say. */
  arrange() {
    const { tiles } = this;
    const was = this.large;
    const alone = tiles.length === 1;
    const { clientWidth } = this.#main;
    const { columns, width } = columnsFor(tiles.length, clientWidth,
      innerHeight - this.#main.getBoundingClientRect().top - scrollY);

    this.large = alone ? tiles[0] :
      tiles.find((tile) => `#${tile.name}` === decodeURIComponent(location.hash));
    document.body.classList.toggle('enlarged', this.large !== undefined);
    this.#main.style.setProperty('--columns', columns);
    this.#main.style.setProperty('--width', `${width}px`);
    for (const tile of tiles)
      if (!this.large || tile === this.large)
        tile.place(tile === this.large, alone);
      else
        tile.hide();
    if (was && was !== this.large && tiles.includes(was))
      (this.large ?? was).focus();
    this.#stream();
    if (was !== this.large)
      this.#onchange(this.large ?? was);
  }

  /* The camera that a key means: the large one, or the one with the focus. */
  get current() {
    return this.large ?? this.tiles.find((tile) => tile.element.contains(document.activeElement));
  }

  /* Go on by so many cameras, or rows of them. */
  move(step, rows) {
    const { tiles } = this;
    const now = tiles.indexOf(this.current);
    const columns = this.large ? 1 : Number(this.#main.style.getPropertyValue('--columns'));
    const next = now < 0 ? 0 : now + step * (rows ? columns : 1);

    if (!tiles[next] || tiles.length === 1)
      return;
    if (this.large)
      location.hash = tiles[next].name;
    else
      tiles[next].focus();
  }

  pause(tile) {
    tile.paused = !tile.paused;
    this.#stream();
  }

  /* The server is back. */
  retry() {
    this.tiles.forEach((tile) => tile.retry());
  }

  /* Only what is seen takes its stream. */
  #stream() {
    const wanted = this.tiles.filter((tile) => !document.hidden && tile.visible &&
      !tile.element.hidden);

    this.tiles.filter((tile) => !wanted.includes(tile)).forEach((tile) => tile.stop());
    wanted.forEach((tile, i) => tile.start(i < STREAMS_MOST));
  }

  #release() {
    this.tiles.forEach((tile) => tile.stop());
  }
}
