// One card for each classifier: image and boxes, glimpse, canvas, and beliefs.

const MOST_CARDS = 3;

/** Returns the card of a classifier. */
function makeCard(model) {
  const parts = {
    image: picture({ "aria-label": "The image" }),
    overlay: makeOverlay(HEIGHT, WIDTH),
    glimpses: make("div", { class: "seen" }),
    canvas: picture(),
    bars: make("ol", { class: "bars" }),
    verdict: make("p", { class: "verdict" }),
  };
  const facts = [model.window ? `${model.steps} glimpses of ${model.window} × ${model.window} values` : "the whole image at once"];
  if (model.error !== null) facts.push(`test error ${model.error}\u202f%`);
  const frame = make("div", { class: "frame" }, parts.image, parts.overlay);
  frame.style.setProperty("--aspect", WIDTH / HEIGHT);
  parts.canvasFigure = make("figure", {}, parts.canvas, make("figcaption", {}, "Canvas"));
  parts.looks = make("div", { class: "looks" }, parts.glimpses, parts.canvasFigure);
  const names = model.classes.map((name) => make("li", {}, make("span", { class: "name", title: name }, name), make("span", { class: "track" }, make("span", { class: "fill" })), make("span", { class: "share" })));
  parts.bars.append(...names);
  const letters = Math.max(...model.classes.map((name) => name.length));
  parts.bars.style.setProperty("--name", `${Math.min(14, Math.max(2, letters))}ch`);
  const head = make("div", {}, make("h3", {}, model.name), make("p", { class: "note" }, facts.join(", ")));
  const element = make("section", { class: "card model", "aria-label": model.name }, head, make("div", { class: "stage" }, frame), make("div", { class: "sides" }, parts.verdict, parts.bars, parts.looks));
  return { model, element, parts, result: null };
}

/** Runs the classifier of a card on an image of bytes, and keeps what it found. */
async function classify(card, image) {
  const { model } = card;
  const values = Float32Array.from(image, (value) => value / 255);
  const uniform = new Float32Array(2 * model.steps).fill(0.5); // of a model with random locations: the center
  const found = await run(model, { images: [values, [1, CHANNELS, HEIGHT, WIDTH]], uniforms: [uniform, [1, model.steps, 2]] });
  const { windows, canvases, probabilities } = found;
  card.result = {
    image,
    values,
    steps: probabilities.shape[1],
    probabilities: probabilities.values,
    windows: windows ? windowsOf(windows.values, windows.shape[1], windows.shape[2]) : null,
    canvases: canvases ?? null,
  };
}

function beliefsAt({ model, result }, step) {
  const t = Math.min(step, result.steps) - 1;
  return result.probabilities.subarray(t * model.classes.length, (t + 1) * model.classes.length);
}

/** Shows a card at a step, counted from 1. */
function showCard(card, step) {
  const { parts, result, model } = card;
  if (!result) return;
  const t = Math.min(step, result.steps) - 1;
  paint(parts.image, result.image, { ...SHAPE, high: 255 });
  showBeliefs(card, step);
  parts.overlay.replaceChildren();
  parts.glimpses.replaceChildren();
  if (result.windows) {
    drawBoxes(parts.overlay, result.windows, t, { n: model.window, kind: "glimpse", height: HEIGHT, width: WIDTH });
    parts.glimpses.append(...result.windows[t].map((place, scale) => glimpseFigure(card, place, scale, t)));
  }
  showCanvas(card, t);
}

function showBeliefs(card, step) {
  const beliefs = beliefsAt(card, step);
  const best = argmax(beliefs);
  [...card.parts.bars.children].forEach((bar, k) => {
    const [, track, share] = bar.children;
    bar.classList.toggle("best", k === best);
    track.firstChild.style.transform = `scaleX(${beliefs[k]})`;
    share.textContent = percent(beliefs[k]);
  });
  card.parts.verdict.replaceChildren(make("b", {}, card.model.classes[best]), ` with ${percent(beliefs[best])}`);
}

function glimpseFigure({ model, result }, place, scale, t) {
  const n = model.window;
  const values = glimpseOf(result.values, SHAPE, place, n);
  const name = result.windows[t].length > 1 ? `Scale ${scale + 1}` : "Glimpse";
  const high = values.reduce((most, value) => Math.max(most, value), 1e-6);
  const canvas = paint(picture({ "aria-label": `${name} at step ${t + 1}, ${n} by ${n}` }), values, { channels: CHANNELS, height: n, width: n, high });
  return make("figure", {}, canvas, make("figcaption", {}, name));
}

/** Shows the canvas after a step: that of the latest read; black before the first one. */
function showCanvas({ parts, result }, t) {
  parts.canvasFigure.hidden = !result.canvases;
  if (!result.canvases) return;
  const { values, shape: [, reads, channels, height, width] } = result.canvases;
  const read = t - (result.steps - reads);
  const size = channels * height * width;
  const shown = read < 0 ? new Float32Array(size) : values.subarray(read * size, (read + 1) * size);
  paint(parts.canvas, shown, { channels: channels - 1, height, width }); // the last channel is the coverage
  set(parts.canvas, { "aria-label": read < 0 ? "The canvas, still empty" : `The canvas after step ${t + 1}` });
}

/** Returns what a card believes in the end, as a sentence. */
function saidBy(card) {
  const beliefs = beliefsAt(card, card.result.steps);
  const best = argmax(beliefs);
  return `${card.model.name} predicts ${card.model.classes[best]} with ${percent(beliefs[best])}.`;
}
