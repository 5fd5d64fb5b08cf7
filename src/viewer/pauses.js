/* Pauses between attempts, growing while they fail. */

const FIRST_MS = 1000;
const MOST_MS = 15000;

export class Pauses {
  #next = FIRST_MS;

  next() {
    const pause = this.#next;

    this.#next = Math.min(pause * 2, MOST_MS);
    return pause;
  }

  reset() {
    this.#next = FIRST_MS;
  }
}
