// The tab in which classifiers look at a drawn digit, an example or a picture.

const scene = { glyph: null, left: 0, top: 0, seed: 1, bitmap: null };
const FIRST = 2; // the example that the page opens with
const cards = FACTS.classifiers.map(makeCard);
const chosen = new Set(cards.slice(0, MOST_CARDS));
const pad = makePad($("pad"), () => take(normalizedDigit(pad.ink(), PAD)), () => playFromStart());
const player = makePlayer($("classify-player"), showStep);

// ---- The scene

/** Takes another glyph, drawn or an example; it stays where the last one was. */
function take(glyph) {
  scene.bitmap = null;
  place(glyph);
}

function place(glyph) {
  scene.glyph = glyph;
  if (glyph) {
    const room = { left: WIDTH - glyph.width, top: HEIGHT - glyph.height };
    for (const side of ["left", "top"]) {
      scene[side] = Math.max(0, Math.min(scene[side], room[side]));
      set($(side), { max: room[side], disabled: room[side] === 0 });
      $(side).value = scene[side];
    }
  }
  $("picture-options").hidden = !scene.bitmap;
  look();
}

/** Moves the glyph and the pieces to places that depend on the seed. */
function scatter(seed) {
  const uniform = uniforms((scene.seed = seed));
  if (scene.glyph) {
    scene.left = Math.floor(uniform() * (WIDTH - scene.glyph.width + 1));
    scene.top = Math.floor(uniform() * (HEIGHT - scene.glyph.height + 1));
  }
  place(scene.glyph);
  playFromStart();
}

function takePicture() {
  const options = { stretches: $("stretch").checked, inverts: $("invert").checked };
  $("size-text").textContent = `${$("size").value} px`;
  place(pictureGlyph(scene.bitmap, Number($("size").value), options));
}

/** Opens an image file: as large as the image, light on dark. */
async function openPicture(file) {
  try {
    scene.bitmap = await createImageBitmap(file);
  } catch {
    return showState(`${file.name} is no picture that this browser opens.`);
  }
  pad.clear();
  $("invert").checked = FACTS.digits !== null && isLight(scene.bitmap);
  takePicture();
  playFromStart();
}

// ---- Looking

function currentScene() {
  return { ...scene, pieces: piecesOf(scene.seed, Number($("pieces").value)) };
}

const look = oneAtATime(async () => {
  $("pieces-text").textContent = $("pieces").value;
  const image = compose(currentScene());
  const shown = cards.filter((card) => chosen.has(card));
  for (const card of shown) await classify(card, image);
  player.reset(Math.max(...shown.map((card) => card.result.steps)), player.playing ? player.step : Infinity);
});

/** Plays the steps from the first one, once the image has been looked at. */
async function playFromStart() {
  await look();
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return player.go(Infinity);
  player.stop();
  player.move(1);
  player.start();
}

function showStep(step, playing) {
  const shown = cards.filter((card) => chosen.has(card) && card.result);
  for (const card of shown) showCard(card, step);
  if (!playing && step === player.to) tell(shown.map(saidBy).join(" "));
}

let telling = 0;

/** Tells a screen reader, once it rests. */
function tell(text) {
  clearTimeout(telling);
  telling = setTimeout(() => ($("spoken").textContent = text), 500);
}

// ---- Choices

function showChosen() {
  $("models").replaceChildren(...cards.filter((card) => chosen.has(card)).map((card) => card.element));
  set($("models"), { "data-cards": chosen.size });
  for (const box of $("choice").querySelectorAll("input")) box.disabled = chosen.size === (box.checked ? 1 : MOST_CARDS);
}

function offerModels() {
  const option = (card) => {
    const box = make("input", { type: "checkbox", checked: chosen.has(card) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(card);
      else chosen.delete(card);
      showChosen();
      look();
    });
    return make("label", {}, box, card.model.name);
  };
  $("choice").append(...cards.map(option));
  $("choice").hidden = cards.length < 2;
}

function offerExamples() {
  $("examples-part").hidden = !digits;
  if (!digits) return;
  $("examples").append(...digits.labels.map((label, row) => {
    const glyph = exampleGlyph(row);
    const small = paint(make("canvas", { "aria-hidden": "true" }), glyph.pixels, { ...glyph, high: 255 });
    const button = make("button", { type: "button", "aria-label": `Example ${row + 1}, a ${FACTS.classifiers[0].classes[label] ?? label}` }, small);
    button.addEventListener("click", () => chooseExample(row));
    return make("li", {}, button);
  }));
}

function chooseExample(row) {
  pad.show(exampleGlyph(row));
  take(exampleGlyph(row));
  playFromStart();
}

/** Saves the image as a PNG, in which every pixel is what the models see. */
function save() {
  const link = make("a", { download: "image.png", href: cards.find((card) => card.result).parts.image.toDataURL() });
  link.click();
}

function startClassify() {
  offerModels();
  offerExamples();
  showChosen();
  $("pieces-field").hidden = !digits;
  set($("pieces"), { max: MOST_PIECES });
  $("pieces").value = Math.min(FACTS.recipe.pieces, MOST_PIECES);
  set($("size"), { min: 8, max: Math.max(HEIGHT, WIDTH) });
  $("size").value = Math.max(HEIGHT, WIDTH);
  for (const side of ["left", "top"]) $(side).addEventListener("input", () => { scene[side] = Number($(side).value); look(); });
  $("pieces").addEventListener("input", look);
  for (const id of ["size", "stretch", "invert"]) $(id).addEventListener("input", takePicture);
  $("scatter").addEventListener("click", () => scatter(newSeed()));
  $("clear").addEventListener("click", () => { pad.clear(); take(null); });
  $("save").addEventListener("click", save);
  $("file").addEventListener("change", () => $("file").files[0] && openPicture($("file").files[0]));
  const panel = $("classify");
  panel.addEventListener("dragover", (event) => event.preventDefault());
  panel.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) openPicture(event.dataTransfer.files[0]);
  });
  if (digits) {
    pad.show(exampleGlyph(FIRST));
    scene.glyph = exampleGlyph(FIRST);
  }
  scatter(1);
}

TABS.classify = { start: startClassify };
