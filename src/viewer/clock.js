/*
 * The server's clock, estimated from round trips: what it said lies somewhere between question and
 * answer, so that the quickest answer knows best, until the two clocks have drifted apart.
 */

const DRIFT = 5e-5; // of two crystals, at most
const SAMPLES_MOST = 20;
const SAMPLES_ENOUGH = 5;

export class ServerClock {
  #samples = [];

  /* A question left at askedMs, its answer came at answeredMs and said serverMs. */
  add(askedMs, answeredMs, serverMs) {
    this.#samples.push({ at: answeredMs, error: (answeredMs - askedMs) / 2,
      offset: serverMs - (askedMs + answeredMs) / 2 });
    this.#samples = this.#samples.slice(-SAMPLES_MOST);
  }

  /* Its time at localMs; undefined as long as nothing is known. */
  at(localMs) {
    const error = (sample) => sample.error + (localMs - sample.at) * DRIFT;
    const best = this.#samples.reduce((a, b) => a && error(a) < error(b) ? a : b, undefined);

    return best && localMs + best.offset;
  }

  /* Whether at() is good enough to compare ages by. */
  isSettled() {
    return this.#samples.length >= SAMPLES_ENOUGH;
  }

  /* The server or this machine has slept or begun anew. */
  reset() {
    this.#samples = [];
  }
}
