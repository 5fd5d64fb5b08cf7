/* Figures of the pictures shown lately: how old they were, how many, how large, how many missed. */

const WINDOW_MS = 5000;

export class Figures {
  dropped = 0;
  #shown = [];
  #bytes = 0;

  /* A picture of so many bytes has come. */
  arrived(bytes) {
    this.#bytes += bytes;
  }

  /* One was drawn; its age by then, or undefined where nobody knows. */
  drawn(nowMs, ageMs) {
    this.#shown.push({ at: nowMs, age: ageMs, bytes: this.#bytes });
    this.#bytes = 0;
  }

  /* What there is to say now; members are undefined while they are unknown. */
  summary(nowMs) {
    while (this.#shown.length && this.#shown[0].at < nowMs - WINDOW_MS)
      this.#shown.shift();
    const shown = this.#shown;
    const ages = shown.map(({ age }) => age).filter((age) => age !== undefined)
      .sort((a, b) => a - b);
    const seconds = (shown.at(-1)?.at - shown[0]?.at) / 1000;
    const bytes = shown.slice(1).reduce((sum, picture) => sum + picture.bytes, 0);

    return {
      ageMs: shown.at(-1)?.age,
      p50Ms: percentile(ages, .5),
      p95Ms: percentile(ages, .95),
      fps: seconds > 0 ? (shown.length - 1) / seconds : undefined,
      bitsPerSecond: seconds > 0 ? bytes * 8 / seconds : undefined,
      dropped: this.dropped,
    };
  }
}

/*
 * How old a picture is, ms. The server's time is an estimate, if it is known at all, and makes no
 * picture younger than it certainly is: as old as it was when it was sent, and here ever since.
 */
export function ageOf({ capturedMs, sentMs, heardMs }, nowMs, serverMs = -Infinity) {
  return Math.max(serverMs - capturedMs, sentMs - capturedMs + nowMs - heardMs);
}

/* Of ascending numbers, by nearest rank. */
export function percentile(sorted, share) {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}
