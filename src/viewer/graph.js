/* The ages of the last pictures as a line. */
import { percentile } from './age.js';

const POINTS = 60;
const WIDTH = 120;
const HEIGHT = 24;

export class Graph {
  #line;
  #ages = [];

  constructor(svg) {
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.#line = svg.querySelector('polyline');
  }

  clear() {
    this.#ages = [];
    this.#draw();
  }

  add(ageMs) {
    this.#ages = [...this.#ages, ageMs].slice(-POINTS);
    this.#draw();
  }

  #draw() {
    const ages = this.#ages;
    // One picture that was late does not flatten all others.
    const most = Math.max(20, 2 * percentile([...ages].sort((a, b) => a - b), .5) || 0);
    const left = (i) => (POINTS - ages.length + i) * WIDTH / (POINTS - 1);
    const top = (age) => HEIGHT - 1 - (HEIGHT - 2) * Math.min(1, age / most);

    this.#line.setAttribute('points',
      ages.map((age, i) => `${left(i)},${top(age)}`).join(' '));
  }
}
