/* The records of the live transport (deploy/live.md), cut out of a stream of bytes. */

export const HELLO = 1;
export const PICTURE = 2;
export const STATUS = 3;

const MAGIC = 0x46414e4c; // "FANL"
const VERSION = 1;
const HEADER_BYTES = 48; // that are known here; a header may be longer
const PAYLOAD_MOST = 1 << 26; // nothing larger is a picture

export class RecordReader {
  #chunks = [];
  #bytes = 0;
  #header;
  #parts = []; // of a payload that comes in several records

  /*
   * Take the stream's next bytes, which must not change any more; gives the records that they
   * complete, with the payload in parts, as a Blob takes them. Several that make one picture are
   * given as one, the last. Throws where there is no record.
   */
  push(chunk) {
    const records = [];

    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    for (;;) {
      if (!this.#header && this.#bytes >= HEADER_BYTES)
        this.#header = readHeader(this.#take(HEADER_BYTES));
      if (!this.#header || this.#bytes < this.#header.rest)
        return records;
      const { extra, rest, more, givenUp, ...record } = this.#header;

      this.#header = undefined;
      this.#take(extra);
      this.#parts.push(...this.#take(rest - extra));
      if (more)
        continue;
      const parts = this.#parts;

      this.#parts = [];
      if (!givenUp)
        records.push({ ...record, parts });
    }
  }

  #take(bytes) {
    const parts = [];

    this.#bytes -= bytes;
    while (bytes > 0) {
      const [first] = this.#chunks;
      const part = first.subarray(0, bytes);

      parts.push(part);
      bytes -= part.length;
      if (part.length < first.length)
        this.#chunks[0] = first.subarray(part.length);
      else
        this.#chunks.shift();
    }
    return parts;
  }
}

/* The JSON that a hello or a status carries. */
export function readJson(record) {
  return JSON.parse(new TextDecoder().decode(join(record.parts)));
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;

  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function readHeader(parts) {
  const view = new DataView(join(parts).buffer);
  const milliseconds = (at) => Number(view.getBigUint64(at)) / 1000;
  const extra = view.getUint16(6) - HEADER_BYTES;
  const payload = view.getUint32(8);
  const flags = view.getUint32(12);

  if (view.getUint32(0) !== MAGIC || view.getUint8(4) !== VERSION || extra < 0 ||
      payload > PAYLOAD_MOST)
    throw new Error('This is no record of the live transport.');
  return {
    type: view.getUint8(5),
    placeholder: (flags & 1) !== 0,
    more: (flags & 2) !== 0,
    givenUp: (flags & 4) !== 0,
    sequence: view.getUint32(16),
    serial: view.getUint32(20),
    capturedMs: milliseconds(24),
    encodedMs: milliseconds(32),
    sentMs: milliseconds(40),
    extra,
    rest: extra + payload,
  };
}
