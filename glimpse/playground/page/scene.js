// The image that the classifiers see: a glyph among pieces of other digits, added up in whole numbers as in the generator of
// cluttered digits (glimpse.datasets.clutter). A glyph is a drawn digit, an example or your picture.

const [CHANNELS, HEIGHT, WIDTH] = FACTS.classifiers[0].shape;
const SHAPE = { channels: CHANNELS, height: HEIGHT, width: WIDTH };
const SIDE = Math.min(28, HEIGHT, WIDTH); // of a drawn digit
const INK = 20 / 28; // share of a digit's side that its ink takes, as in MNIST
const ENLARGED = 2; // most that a small drawing is enlarged
const MOST_PIECES = 32;

const digits = FACTS.digits && { ...FACTS.digits, pixels: bytes(FACTS.digits.images) };

/** Returns the example in this row as a glyph. */
function exampleGlyph(row) {
  const { height, width, pixels } = digits;
  return { height, width, channels: 1, pixels: pixels.subarray(row * height * width, (row + 1) * height * width) };
}

/** Returns pieces, the same ones for a seed; each is cut from an example, as the generator does. */
function piecesOf(seed, count) {
  if (!digits) return [];
  const uniform = uniforms(seed);
  const below = (limit) => Math.floor(uniform() * limit);
  const side = FACTS.recipe.piece_size;
  return Array.from({ length: MOST_PIECES }, () => ({
    source: below(digits.labels.length),
    column: below(digits.width - side + 1),
    row: below(digits.height - side + 1),
    left: below(WIDTH - side + 1),
    top: below(HEIGHT - side + 1),
  })).slice(0, count);
}

/** Adds a rectangle of pixels to the sums of an image, in one channel. */
function add(sums, pixels, pixelsWidth, { row, column, height, width }, left, top) {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) sums[(top + y) * WIDTH + left + x] += pixels[(row + y) * pixelsWidth + column + x];
  }
}

/** Returns the image of a scene, shape (channels, height, width), bytes: `glyph`, `left`, `top` and `pieces`. */
function compose({ glyph, left, top, pieces }) {
  const image = new Uint8ClampedArray(CHANNELS * HEIGHT * WIDTH);
  const side = FACTS.recipe.piece_size;
  for (let c = 0; c < CHANNELS; c++) {
    const sums = new Int32Array(HEIGHT * WIDTH);
    if (glyph) {
      const area = glyph.height * glyph.width;
      const channel = Math.min(c, glyph.channels - 1);
      add(sums, glyph.pixels.subarray(channel * area, (channel + 1) * area), glyph.width, { row: 0, column: 0, ...glyph }, left, top);
    }
    for (const piece of pieces) {
      const { pixels, width } = exampleGlyph(piece.source);
      add(sums, pixels, width, { row: piece.row, column: piece.column, height: side, width: side }, piece.left, piece.top);
    }
    image.set(sums, c * HEIGHT * WIDTH); // clamped to 255
  }
  return image;
}

/**
 * Returns ink as a digit like those of MNIST: scaled so that its longer side is 20 of 28 pixels, and moved so that its center of
 * mass is in the middle. `ink` has size x size values from 0 to 1; null if there is none.
 */
function normalizedDigit(ink, size) {
  const box = boundsOf(ink, size);
  if (!box) return null;
  const scale = Math.min((INK * SIDE) / Math.max(box.width, box.height), (ENLARGED * SIDE) / size);
  const [x, y] = massOf(ink, size);
  const pixels = new Uint8Array(SIDE * SIDE);
  const samples = 4; // along each axis of a pixel
  for (let i = 0; i < SIDE * SIDE; i++) {
    let sum = 0;
    for (let s = 0; s < samples * samples; s++) {
      const across = (i % SIDE) + ((s % samples) + 0.5) / samples - SIDE / 2;
      const down = Math.floor(i / SIDE) + (Math.floor(s / samples) + 0.5) / samples - SIDE / 2;
      const [column, row] = [Math.floor(x + across / scale), Math.floor(y + down / scale)];
      if (column >= 0 && row >= 0 && column < size && row < size) sum += ink[row * size + column];
    }
    pixels[i] = Math.round((255 * sum) / (samples * samples));
  }
  return { height: SIDE, width: SIDE, channels: 1, pixels };
}

function boundsOf(ink, size) {
  let [left, top, right, bottom] = [size, size, -1, -1];
  ink.forEach((value, i) => {
    if (value < 0.1) return;
    const [x, y] = [i % size, Math.floor(i / size)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

function massOf(ink, size) {
  let [sum, x, y] = [0, 0, 0];
  ink.forEach((value, i) => {
    sum += value;
    x += value * ((i % size) + 0.5);
    y += value * (Math.floor(i / size) + 0.5);
  });
  return [x / sum, y / sum];
}

/**
 * Returns a picture as a glyph whose longer side has this many pixels.
 * `stretches`: its darkest value becomes black, its lightest white; `inverts`: dark and light are swapped.
 */
function pictureGlyph(bitmap, longest, { stretches, inverts }) {
  const scale = longest / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { fillStyle: "#fff", imageSmoothingQuality: "high" });
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const area = width * height;
  const light = (i) => Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]);
  const pixels = Uint8Array.from({ length: CHANNELS * area }, (_, i) => (CHANNELS === 1 ? light(i) : data[4 * (i % area) + Math.floor(i / area)]));
  const [low, high] = stretches ? [pixels.reduce((a, b) => Math.min(a, b)), pixels.reduce((a, b) => Math.max(a, b))] : [0, 255];
  const stretched = pixels.map((value) => Math.round((255 * (value - low)) / (high - low || 1)));
  return { height, width, channels: CHANNELS, pixels: inverts ? stretched.map((value) => 255 - value) : stretched };
}

/** Returns whether the border of a picture is light. */
function isLight(bitmap) {
  const { width, height, pixels } = pictureGlyph(bitmap, Math.min(64, Math.max(bitmap.width, bitmap.height)), { stretches: true, inverts: false });
  const border = [...pixels.subarray(0, width * height)].filter((_, i) => i % width === 0 || i % width === width - 1 || i < width || i >= width * (height - 1));
  return border.reduce((sum, value) => sum + value, 0) / border.length > 127;
}
