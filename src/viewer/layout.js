/* How large tiles are, and what they need for it. */

const GAP = 12; // of style.css, as is the height of a caption
const CAPTION = 40;
const TILE_LEAST = 160;
const PHONE = 600; // is narrower, and scrolled with a thumb

/* The columns in which n wide pictures are largest without scrolling, or small and scrolled. */
export function columnsFor(n, width, height) {
  const fitting = (columns) => Math.floor((width - GAP * (columns - 1)) / columns);

  if (width < PHONE)
    return { columns: n > 4 ? 2 : 1, width: fitting(n > 4 ? 2 : 1) };
  let best = { columns: 1, width: 0 };

  for (let columns = 1; columns <= n; columns++) {
    const row = (height + GAP) / Math.ceil(n / columns) - GAP;
    const tile = Math.min(fitting(columns), Math.floor((row - CAPTION) * 16 / 9));

    if (tile > best.width)
      best = { columns, width: tile };
  }
  if (best.width >= TILE_LEAST)
    return best;
  const columns = Math.max(1, Math.floor((width + GAP) / (TILE_LEAST + GAP)));

  return { columns, width: fitting(columns) };
}

/*
 * How wide pictures are to be for so many pixels of the screen, of a camera that has its own width;
 * 0 is that. There are few widths, for the server makes each for all who ask for it.
 */
export function widthFor(pixels, own) {
  const width = 320 * 2 ** Math.max(0, Math.ceil(Math.log2(pixels / 320)));

  return width < own ? width : 0;
}

/* What a tile of this width needs, pictures a second; 0 is all there are. */
export function fpsFor(width) {
  if (width < 240)
    return 5;
  return width < 480 ? 15 : 0;
}
