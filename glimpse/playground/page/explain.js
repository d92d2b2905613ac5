// The tab that explains a glimpse, with the image and the windows of the classifiers' tab.

let explanation = null;

/** Returns the image and the windows of a card in the form of GlimpseHow.mount(). */
function explained(card) {
  const { model, result } = card;
  const area = HEIGHT * WIDTH;
  const gray = (_, i) => Array.from({ length: CHANNELS }, (_, c) => result.values[c * area + i]).reduce((sum, value) => sum + value) / CHANNELS;
  return {
    name: "your image",
    height: HEIGHT,
    width: WIDTH,
    n: model.window,
    image: Float32Array.from({ length: area }, gray),
    windows: result.windows.map(([{ x, y, stride, sigma, intensity }]) => [x, y, stride, sigma, intensity]),
    beliefs: result.windows.map((_, t) => beliefText(card, t + 1)),
  };
}

function beliefText(card, step) {
  const beliefs = beliefsAt(card, step);
  const best = argmax(beliefs);
  return `${card.model.classes[best]} with ${percent(beliefs[best])}`;
}

/** Explains the glimpses of the first chosen classifier with blurred windows; of another one if none is chosen. */
async function explain() {
  startTab("classify");
  await look();
  const able = cards.filter((card) => card.model.blurs);
  const card = able.find((one) => chosen.has(one)) ?? able[0];
  if (!chosen.has(card)) await classify(card, compose(currentScene()));
  if (!card.result) return; // the state of the page says why
  const picture = explained(card);
  if (explanation) explanation.show(picture);
  else explanation = GlimpseHow.mount($("explain").querySelector(".how"), [picture]);
}

TABS.explain = { start: () => {}, show: explain };
