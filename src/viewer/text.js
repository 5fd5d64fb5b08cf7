/* How things are said on the page. */

/* Have an element say this. The same again would be read out again, and laid out again. */
export function say(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

export function sayAge(ms) {
  if (ms === undefined)
    return '–';
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function sayFps(fps) {
  return fps ? `${fps.toFixed(fps < 10 ? 1 : 0)} fps` : '';
}

export function sayBitrate(bitsPerSecond) {
  if (bitsPerSecond === undefined)
    return '–';
  return bitsPerSecond < 1e6 ? `${Math.round(bitsPerSecond / 1e3)} kbit/s` :
    `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

export function saySize(size) {
  return size?.width && size.height ? `${size.width} × ${size.height}` : '';
}

/* A moment, the day only where it is not today. */
export function sayTime(ms, nowMs = Date.now()) {
  const when = new Date(ms);
  const time = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

  return when.toDateString() === new Date(nowMs).toDateString() ? time :
    `${when.toLocaleDateString([], { day: 'numeric', month: 'short' })} ${time}`;
}

/* Sorts by camera and time in every folder, and every file system takes it. */
export function fileName(camera, ms) {
  const when = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);

  return `${camera}-${when.toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-')}.jpg`;
}
