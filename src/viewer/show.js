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
 * decode first comes one or two frames of the screen later.
 */
export function inImage(image) {
  return async (blob, isWanted) => {
    const { src } = image;
    const next = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
    const shows = await next.decode().then(isWanted, () => false);

    if (shows)
      image.src = next.src;
    URL.revokeObjectURL(shows ? src : next.src);
    return shows && { width: next.naturalWidth, height: next.naturalHeight };
  };
}
