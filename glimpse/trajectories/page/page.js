// What holds the page together: state, address, keys; the files of the page are one module, in the order that page.py gives.

// ---- State: changed only by show(), filter() and play()

const state = { item: null, step: 0, rate: 2, playing: false, timer: 0, list: items, made: 0 };

function show(item, step) {
  const changed = item !== state.item;
  state.item = item;
  state.step = Math.max(0, Math.min(step, item.chunk.steps - 1));
  if (changed) showImage();
  showStep();
  speak();
  remember();
}

function speak() {
  const { item, step } = state;
  if (!item || state.playing) return;
  $("spoken").textContent = `${nameOf(item)}, step ${step + 1} of ${item.chunk.steps}. ${believed(item, step)}`;
}

function nameOf(item) {
  return item.name ?? `Image ${item.index}`;
}

function believed(item, step) {
  const beliefs = beliefsOf(item, step);
  if (!beliefs) return item.label === null ? "" : `Label ${className(item.label)}`;
  const best = argmax(beliefs);
  const verdict = item.label === null ? "" : best === item.label ? ", right" : `, wrong: it is ${className(item.label)}`;
  return `Predicted ${className(best)}, ${percent(beliefs[best])}${verdict}`;
}

// ---- The address

let remembering = 0;

/** Writes image, step and filters into the address, once they rest: browsers refuse to do so hundreds of times in a row. */
function remember() {
  clearTimeout(remembering);
  remembering = setTimeout(() => history.replaceState(null, "", `#${addressed()}`), 200);
}

function addressed() {
  const usual = { show: "all", class: "", order: "", from: 0, to: 100 };
  const unusual = Object.entries(filters()).filter(([name, value]) => value !== usual[name]);
  return new URLSearchParams([["image", state.item.index], ["step", state.step + 1], ...unusual]);
}

/** Takes image, step and filters from the address; what is missing or makes no sense is as in a fresh page. */
function restore() {
  clearTimeout(remembering);
  play(false);
  const given = new URLSearchParams(location.hash.slice(1));
  restoreFilters(given);
  filter();
  const item = given.has("image") ? byIndex.get(Number(given.get("image"))) : null;
  const wanted = [item, state.item].find((each) => state.list.includes(each)); // none outside the filters
  show(wanted ?? state.list[0] ?? items[0], (Number.parseInt(given.get("step"), 10) || 1) - 1);
}

function restoreFilters(given) {
  const choice = [...$("filters").elements.show].find((radio) => radio.value === given.get("show") && !$("outcome").hidden);
  (choice ?? $("filters").elements.show[0]).checked = true;
  for (const id of ["class", "order"]) {
    $(id).value = given.get(id) ?? "";
    if ($(id).selectedIndex < 0) $(id).value = "";
  }
  $("from").value = given.get("from") ?? 0;
  $("to").value = given.get("to") ?? 100;
}

// ---- Keys and controls

const KEYS = {
  " ": () => play(!state.playing),
  ArrowLeft: () => go(state.step - 1),
  ArrowRight: () => go(state.step + 1),
  Home: () => go(0),
  End: () => go(Infinity),
  ArrowUp: () => goImage(-1),
  ArrowDown: () => goImage(1),
  k: () => goImage(-1),
  j: () => goImage(1),
  "?": () => $("keys").showModal(),
};

/** Returns whether a control needs the key itself. */
function needs(control, key) {
  const arrow = key.startsWith("Arrow");
  if (control.matches("select")) return key !== "?";
  if (control.matches("[type=range]")) return arrow || key === "Home" || key === "End";
  if (control.matches("[type=radio]")) return arrow || key === " ";
  return control.matches("button, a, input") && (key === " " || key === "Enter");
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open || needs(event.target, event.key)) return;
  const speed = /^[1-9]$/.test(event.key) ? () => setRate(Number(event.key)) : null;
  const action = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : speed;
  if (!action) return;
  event.preventDefault();
  action();
}

function listen() {
  const clicks = {
    first: KEYS.Home, back: KEYS.ArrowLeft, play: KEYS[" "], forward: KEYS.ArrowRight, last: KEYS.End, help: KEYS["?"],
    "previous-image": KEYS.k, "next-image": KEYS.j, more: makeMore, reset: resetFilters,
  };
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
  for (const id of ["show-earlier", "show-path", "show-blur", "show-digit"]) $(id).addEventListener("change", placeBoxes);
  $("scrubber").addEventListener("input", () => go(Number($("scrubber").value) - 1));
  $("rate").addEventListener("change", () => setRate(Number($("rate").value)));
  $("filters").addEventListener("input", changeFilters);
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("skip").addEventListener("click", skip);
  addEventListener("keydown", press);
  addEventListener("hashchange", restore);
}

function changeFilters(event) {
  const [low, high] = [$("from"), $("to")];
  const [moved, other] = event.target === low ? [low, high] : [high, low];
  if (Number(low.value) > Number(high.value)) moved.value = other.value;
  filter();
}

function resetFilters() {
  restoreFilters(new URLSearchParams());
  filter();
}

function skip(event) {
  event.preventDefault(); // the address belongs to the image
  $("images").focus();
}

function offerFilters() {
  const classes = [...new Set(items.map(classOf))].filter((name) => name !== null).sort((a, b) => a - b);
  $("class").append(...classes.map((name) => make("option", { value: name }, className(name))));
  $("class-name").textContent = labelled ? "Label" : "Predicted";
  $("filters").hidden = !classifies;
  $("outcome").hidden = !labelled;
  if (kinds.length > 1) $("kinds").append(...kinds.map((kind) => make("span", { class: `chip ${kind}` }, kind)));
  $("rate").append(...[...Array(9).keys()].map((i) => make("option", { value: i + 1 }, `${i + 1} ${i ? "steps" : "step"}/s`)));
}

if (chunks[0].drawn && onCanvas(chunks[0].drawn)) for (const id of ["show-earlier", "show-path", "show-blur"]) $(id).checked = false; // they hide the canvas
makeBars();
offerFilters();
setRate(state.rate);
listen();
restore();
