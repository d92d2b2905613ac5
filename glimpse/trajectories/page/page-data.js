// Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, so that an image of width W spans
// -0.5 to W - 0.5. Images and steps count from 0 inside, steps from 1 where a person or the address sees them.

const BATCH = 60; // thumbnails made at a time
const FIELDS = 5; // center x, center y, stride, sigma, intensity
const FAINT = 0.02; // of the largest number of all glimpses: what is fainter stays dark
const COUNT = new Intl.NumberFormat("en");

// ---- The data

function readChunk(element) {
  const chunk = JSON.parse(element.textContent);
  element.remove();
  chunk.digits = floats(chunk.digits);
  chunk.probabilities = chunk.probabilities && floats(chunk.probabilities);
  for (const track of chunk.tracks) track.windows = floats(track.windows);
  chunk.drawn = chunk.tracks.find((track) => track.canvases !== null) ?? null; // the track with a canvas
  return chunk;
}

function readItem(chunk, row) {
  const last = beliefsOf({ chunk, row }, chunk.steps - 1);
  const prediction = last ? argmax(last) : null;
  const label = chunk.labels[row] < 0 ? null : chunk.labels[row];
  const right = label === null || prediction === null ? null : label === prediction;
  const confidence = last && last[prediction];
  return { chunk, row, index: chunk.index[row], name: chunk.names && chunk.names[row], label, prediction, right, confidence, thumb: null };
}

function beliefsOf({ chunk, row }, step) {
  const start = (row * chunk.steps + step) * chunk.classes;
  return chunk.probabilities && chunk.probabilities.subarray(start, start + chunk.classes);
}

function windowOf({ chunk, row }, track, step) {
  const start = (row * chunk.steps + step) * FIELDS;
  const [x, y, stride, sigma, intensity] = track.windows.subarray(start, start + FIELDS);
  return { x, y, stride, sigma, intensity };
}

function className(k) {
  return chunks[0].classNames?.[k] ?? `${k}`;
}

function pictureOf(item) {
  return `data:image/png;base64,${item.chunk.images[item.row]}`;
}

/** Returns the canvases of an image after every step, one below the other. */
function filmOf({ chunk, row }) {
  return `data:image/png;base64,${chunk.drawn.canvases[row]}`;
}

/** Returns whether a track's windows are drawn on the canvas, in whose pixels they are, and not on the image. */
function onCanvas(track) {
  return track.kind === "write" && track.canvases !== null;
}

/** Returns for each kind of window the numbers shown as black and white: the same for all images, steps and scales. */
function commonShades(chunks) {
  const shades = {};
  for (const track of chunks.flatMap((chunk) => chunk.tracks).filter((track) => track.patches !== null)) {
    const { low, high } = shades[track.kind] ?? { low: 0, high: 0 };
    shades[track.kind] = { low: Math.min(low, track.low), high: Math.max(high, track.high) };
  }
  return shades;
}

const chunks = [...document.querySelectorAll("script.chunk")].map(readChunk);
const items = chunks.flatMap((chunk) => chunk.index.map((_, row) => readItem(chunk, row)));
const byIndex = new Map(items.toReversed().map((item) => [item.index, item]));
const shades = commonShades(chunks);
const kinds = [...new Set(chunks[0].tracks.map((track) => track.kind))];
const classifies = items[0].prediction !== null;
const overlays = [$("overlay"), $("canvas-overlay")];
const labelled = items.some((item) => item.label !== null);
