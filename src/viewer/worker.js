/* The live streams of the page, on a thread of their own; link.js is the other end. */
import { onCanvas } from './show.js';
import { LiveStream } from './stream.js';

const streams = new Map();

addEventListener('message', ({ data: { key, call, args } }) => {
  if (call === 'open') {
    const [url, canvas] = args;

    streams.set(key, new LiveStream(url, onCanvas(canvas), (told) => postMessage({ key, told })));
  } else if (call === 'snapshot') {
    postMessage({ key, told: { snapshot: streams.get(key).snapshot() } });
  } else {
    streams.get(key)[call](...args);
  }
});
postMessage({ ready: true });
