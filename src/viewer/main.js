/*
 * The page: a tile for every camera that /state names. All URLs are relative, to work behind a
 * proxy's prefix.
 */
import { Controls } from './controls.js';
import { chooseLink } from './link.js';
import { Pauses } from './pauses.js';
import { say } from './text.js';
import { Tools } from './tools.js';
import { Wall } from './wall.js';

/* A page whose address holds name and password may ask for nothing; the browser knows them now. */
const address = Object.assign(new URL(document.baseURI), { username: '', password: '' }).href;

if (address !== document.baseURI)
  location.replace(address);

const POLL_MS = 2000;
const ANSWER_MS = 5000; // a server that takes longer is as good as gone
const MISSES_ALLOWED = 1; // of /state in a row
const LOOK_MS = 500; // for pictures that have become old

const summary = document.getElementById('summary');
const main = document.getElementById('cameras');
const controls = new Controls(document.getElementById('controls'));
const wall = new Wall(main, await chooseLink(), (tile) => tools.show(tile));
const tools = new Tools(document.getElementById('tools'), wall, controls);
const pauses = new Pauses();
let timer, polling = false, misses = 0;

async function fetchCameras() {
  const response = await fetch('state',
    { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS) });

  if (!response.ok)
    throw new Error(`/state: ${response.status}`);
  return (await response.json()).cameras;
}

async function poll() {
  let pause = POLL_MS;

  clearTimeout(timer);
  if (polling || document.hidden)
    return;
  polling = true;
  const cameras = await fetchCameras().catch(() => undefined);

  polling = false;
  if (cameras) {
    const online = cameras.filter((camera) => camera.online).length;

    if (misses > 0)
      wall.retry();
    misses = 0;
    pauses.reset();
    wall.show(cameras);
    say(summary, cameras.length === 1 ? '' : `${online} of ${cameras.length} cameras online`);
  } else if (++misses > MISSES_ALLOWED) {
    pause = pauses.next();
    say(summary, `The server does not answer. Trying again in ${pause / 1000} s.`);
  }
  timer = setTimeout(poll, pause);
}

addEventListener('online', poll);
addEventListener('pageshow', poll);
document.addEventListener('visibilitychange', poll);
setInterval(() => wall.tiles.forEach((tile) => tile.render()), LOOK_MS);
poll();
