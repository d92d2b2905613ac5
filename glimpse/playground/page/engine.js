// onnxruntime-web and the models, which are loaded when they are first needed.

const FACTS = JSON.parse($("facts").textContent);
const TABS = {}; // by the name of the panel: `start` is called when a tab is first shown, `show`, if there is one, at every time

/** Returns the bytes of a file of the page: fetched, or from the element that holds them. */
async function fileOf({ url, id }) {
  if (url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
    return new Uint8Array(await answer.arrayBuffer());
  }
  const packed = new Blob([bytes($(id).textContent)]);
  $(id).remove();
  return new Uint8Array(await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

let started = null;

/** Returns onnxruntime-web in one thread, the same promise at every call. */
function startRuntime() {
  return (started ??= (async () => {
    const address = URL.createObjectURL(new Blob([await fileOf(FACTS.runtime.module)], { type: "text/javascript" }));
    const ort = await import(address);
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    ort.env.wasm.wasmBinary = (await fileOf(FACTS.runtime.wasm)).buffer;
    return ort;
  })());
}

const sessions = new Map();

function sessionOf(model) {
  if (!sessions.has(model)) {
    const opened = async () => (await startRuntime()).InferenceSession.create(await fileOf(model.file), { executionProviders: ["wasm"] });
    sessions.set(model, opened());
  }
  return sessions.get(model);
}

let last = Promise.resolve(); // runs of models, one after the other

/**
 * Returns the outputs of a model by name, as arrays of numbers.
 * `inputs` are pairs of a Float32Array and its shape, by name; those that the model does not take are left out.
 */
function run(model, inputs) {
  const result = last.then(async () => {
    const [ort, session] = [await startRuntime(), await sessionOf(model)];
    const taken = Object.entries(inputs).filter(([name]) => session.inputNames.includes(name));
    const feeds = Object.fromEntries(taken.map(([name, [values, shape]]) => [name, new ort.Tensor("float32", values, shape)]));
    const outputs = Object.entries(await session.run(feeds)).map(([name, tensor]) => [name, { values: tensor.data, shape: tensor.dims }]);
    return Object.fromEntries(outputs);
  });
  last = result.catch(() => {});
  return result;
}

/** Returns a function that does a job, and once more if it is called meanwhile; its promise ends when nothing is left to do. */
function oneAtATime(job) {
  let [asked, working] = [false, null];
  const work = async () => {
    markBusy(1);
    while (asked) {
      asked = false;
      try {
        await job();
        showState("");
      } catch (error) {
        showState(`This does not run here: ${error.message}`);
      }
    }
    working = null;
    markBusy(-1);
  };
  return () => {
    asked = true;
    return (working ??= work());
  };
}

let busy = 0;

/** Counts the jobs that run; assistive technology may wait with what changes until none is left. */
function markBusy(change) {
  busy += change;
  set($("panels"), { "aria-busy": busy > 0 ? "true" : "false" });
}

function showState(text) {
  $("state").textContent = text;
  $("state").hidden = text === "";
}

// ---- Random numbers

/** Returns a function of uniform numbers in 0 to 1 that depend only on the seed (mulberry32). */
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns standard normal numbers that depend only on the seed (Box and Muller). */
function normals(count, seed) {
  const uniform = uniforms(seed);
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}

function newSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

// ---- Pixels

/** Draws values (channels, height, width), of which `low` is black and `high` white, on a canvas of their size. */
function paint(canvas, values, { channels, height, width, low = 0, high = 1 }) {
  Object.assign(canvas, { height, width });
  const picture = new ImageData(width, height);
  const area = height * width;
  for (let i = 0; i < 4 * area; i++) {
    const channel = Math.min(i % 4, channels - 1);
    picture.data[i] = i % 4 === 3 ? 255 : Math.round((255 * (values[channel * area + (i >> 2)] - low)) / (high - low || 1));
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

function picture(attributes = {}) {
  return make("canvas", { role: "img", ...attributes });
}
