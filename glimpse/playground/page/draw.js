// The tab in which a generator draws: samples with a temperature, and single latent variables that can be pulled.

const SAMPLES = 8;
const drawing = { model: FACTS.generators[0], noise: null, sample: 0, result: null, pulled: new Map(), seed: 1 };
const drawPlayer = makePlayer($("draw-player"), showDrawing, 0);
drawPlayer.rate.value = 8;

/** Returns the latents of all samples, (samples, T, Z): noise times the temperature, and the pulled variables of one sample. */
function latentsOf({ model, noise, sample, pulled }) {
  const size = model.steps * model.latent;
  const latents = noise.map((value) => Number($("temperature").value) * value);
  for (const [index, value] of pulled) latents[sample * size + index] = value;
  return latents;
}

const drawAll = oneAtATime(async () => {
  const { model } = drawing;
  const { canvases, write_windows: windows } = await run(model, { latents: [latentsOf(drawing), [SAMPLES, model.steps, model.latent]] });
  drawing.result = { canvases: canvases.values, windows: windows?.values ?? null };
  showSliders();
  drawPlayer.reset(model.steps, drawPlayer.playing ? drawPlayer.step : Infinity);
});

/** Draws new samples and plays how they grow. */
async function drawNew(seed = newSeed()) {
  const { model } = drawing;
  Object.assign(drawing, { seed, noise: normals(SAMPLES * model.steps * model.latent, seed), pulled: new Map() });
  drawPlayer.stop();
  await drawAll();
  if (!drawing.result || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  drawPlayer.move(0);
  drawPlayer.start();
}

function canvasAt(sample, step) {
  const { model, result } = drawing;
  const [channels, height, width] = model.shape;
  const size = channels * height * width;
  const start = (sample * (model.steps + 1) + step) * size;
  return result.canvases.subarray(start, start + size);
}

function showDrawing(step, playing) {
  const { model, result, sample } = drawing;
  if (!result) return;
  const [channels, height, width] = model.shape;
  const shape = { channels, height, width };
  paint($("drawn"), canvasAt(sample, step), shape);
  set($("drawn"), { "aria-label": `Sample ${sample + 1} after step ${step} of ${model.steps}` });
  [...$("samples").children].forEach((entry, i) => paint(entry.querySelector("canvas"), canvasAt(i, step), shape));
  const overlay = $("drawn-frame").querySelector("svg");
  overlay.replaceChildren();
  if (result.windows && step > 0 && step < model.steps) {
    const own = result.windows.subarray(5 * sample * model.steps, 5 * (sample + 1) * model.steps);
    drawBoxes(overlay, windowsOf(own, model.steps, 1), step - 1, { n: model.window, kind: "write", height, width, earlier: false });
  }
  if (!playing && step === model.steps) $("draw-spoken").textContent = `Sample ${sample + 1} is finished.`;
}

// ---- Samples and latent variables

function chooseSample(i) {
  drawing.sample = i;
  drawing.pulled = new Map();
  [...$("samples").children].forEach((entry, at) => set(entry.firstChild, { "aria-pressed": at === i ? "true" : "false" }));
  drawAll();
}

function offerSamples() {
  const entry = (_, i) => {
    const button = make("button", { type: "button", "aria-label": `Sample ${i + 1}`, "aria-pressed": i === drawing.sample ? "true" : "false" }, make("canvas", { "aria-hidden": "true" }));
    button.addEventListener("click", () => chooseSample(i));
    return make("li", {}, button);
  };
  $("samples").replaceChildren(...Array.from({ length: SAMPLES }, entry));
}

function offerSliders() {
  const { model } = drawing;
  const slider = ([step, variable]) => {
    const index = step * model.latent + variable;
    const name = `Step ${step + 1}, variable ${variable + 1}`;
    const input = make("input", { type: "range", min: -3, max: 3, step: 0.05, "aria-label": name });
    input.addEventListener("input", () => {
      drawing.pulled.set(index, Number(input.value));
      drawAll();
    });
    return make("li", { "data-index": index }, make("span", {}, name), input, make("output"));
  };
  $("latents").replaceChildren(...model.sliders.map(slider));
}

/** Shows the latents of the chosen sample on the sliders. */
function showSliders() {
  const latents = latentsOf(drawing);
  for (const entry of $("latents").children) {
    const value = latents[drawing.sample * drawing.model.steps * drawing.model.latent + Number(entry.dataset.index)];
    entry.querySelector("input").value = value;
    entry.querySelector("output").textContent = value.toFixed(2);
  }
  $("temperature-text").textContent = Number($("temperature").value).toFixed(2);
  $("unpull").disabled = drawing.pulled.size === 0;
}

function chooseGenerator(model) {
  Object.assign(drawing, { model, sample: 0, result: null });
  const [, height, width] = model.shape;
  $("drawn-frame").style.setProperty("--aspect", width / height);
  $("drawn-frame").querySelector("svg")?.remove();
  $("drawn-frame").append(makeOverlay(height, width));
  offerSamples();
  offerSliders();
  drawNew(1);
}

function startDraw() {
  $("generator-field").hidden = FACTS.generators.length < 2;
  $("generator").append(...FACTS.generators.map((model, i) => make("option", { value: i }, model.name)));
  $("generator").addEventListener("change", () => chooseGenerator(FACTS.generators[Number($("generator").value)]));
  $("again").addEventListener("click", () => drawNew());
  $("temperature").addEventListener("input", drawAll);
  $("unpull").addEventListener("click", () => { drawing.pulled = new Map(); drawAll(); });
  chooseGenerator(drawing.model);
}

TABS.draw = { start: startDraw };
