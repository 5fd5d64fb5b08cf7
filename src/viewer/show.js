/*
 * Two ways to show a JPEG: each gives a function that shows a blob, unless it is no picture or
 * isWanted() says no by the time it is decoded, and promises the size of what it has shown.
 */
const LIKE_THIS = { alpha: false, desynchronized: true };

/* Whether what is drawn on a canvas goes to the screen without waiting for the page. */
export function canvasesAreQuick() {
  const context = document.createElement('canvas').getContext('2d', LIKE_THIS);

  return context.getContextAttributes?.().desynchronized === true;
}

export function onCanvas(canvas) {
  const context = canvas.getContext('2d', LIKE_THIS);

  return async (blob, isWanted) => {
    const bitmap = await createImageBitmap(blob).catch(() => undefined);
    const { width, height } = bitmap ?? {};
    const shows = bitmap && isWanted();

    if (shows) {
      if (canvas.width !== width || canvas.height !== height)
        Object.assign(canvas, { width, height });
      context.drawImage(bitmap, 0, 0);
    }
    bitmap?.close();
    return shows && { width, height };
  };
}

/*
 * Decoded by an image that nobody sees: Firefox paints at once what is decoded, but what it has to
 * decode first comes one or two frames of the screen later. What is shown smaller than it is, it
 * decodes once more for that size when it paints, 8 ms of 720p, unless told to scale it `smooth`,
 * which looks the same down to the half. And it keeps what an image has decoded, up to gigabytes,
 * until that image lets go of it while no other shows it; which waits until the next is painted.
 */
export function inImage(image) {
  let shown; // image that has decoded what is on the page

  return async (blob, isWanted) => {
    const next = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
    const shows = await next.decode().then(isWanted, () => false);
    const { naturalWidth: width, naturalHeight: height } = next;
    const done = shows ? shown : next;

    if (shows) {
      image.style.imageRendering =
        width > 2 * image.clientWidth * devicePixelRatio ? '' : 'smooth';
      image.src = next.src;
      shown = next;
    }
    if (done)
      setTimeout(() => {
        URL.revokeObjectURL(done.src);
        done.removeAttribute('src');
      });
    return shows && { width, height };
  };
}
