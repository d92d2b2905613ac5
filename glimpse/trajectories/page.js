"use strict";

// Positions are pixels of the image, x before y; pixel 0 is the center of the first pixel, so that an image of width W spans
// -0.5 to W - 0.5. Images and steps count from 0 inside, steps from 1 where a person or the address sees them.

const BATCH = 60; // thumbnails made at a time
const FIELDS = 5; // center x, center y, stride, sigma, intensity
const COUNT = new Intl.NumberFormat("en");

const $ = (id) => document.getElementById(id);

function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)}\u202f%`; // a narrow space that does not break
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

function make(name, attributes = {}, ...children) {
  const element = set(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = set(document.createElementNS("http://www.w3.org/2000/svg", name), attributes);
  element.append(...children);
  return element;
}

// ---- The data

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer); // little-endian, as every machine with a browser is
}

function readChunk(element) {
  const chunk = JSON.parse(element.textContent);
  element.remove();
  chunk.digits = floats(chunk.digits);
  chunk.probabilities = chunk.probabilities && floats(chunk.probabilities);
  for (const track of chunk.tracks) track.windows = floats(track.windows);
  return chunk;
}

function readItem(chunk, row) {
  const last = beliefsOf({ chunk, row }, chunk.steps - 1);
  const prediction = last ? argmax(last) : null;
  const label = chunk.labels[row] < 0 ? null : chunk.labels[row];
  const right = label === null || prediction === null ? null : label === prediction;
  const confidence = last && last[prediction];
  return { chunk, row, index: chunk.index[row], label, prediction, right, confidence, thumb: null };
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

function boxOf({ x, y, stride }, n) {
  const side = (n - 1) * stride;
  return { x: x - side / 2, y: y - side / 2, width: side, height: side };
}

function argmax(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

function pictureOf(item) {
  return `data:image/png;base64,${item.chunk.images[item.row]}`;
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
const labelled = items.some((item) => item.label !== null);

// ---- State: changed by show(), filter() and play() alone

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
  return `Image ${item.index}`;
}

function believed(item, step) {
  const beliefs = beliefsOf(item, step);
  if (!beliefs) return item.label === null ? "" : `Label ${item.label}`;
  const best = argmax(beliefs);
  const verdict = item.label === null ? "" : best === item.label ? ", right" : `, wrong: it is ${item.label}`;
  return `Predicted ${best}, ${percent(beliefs[best])}${verdict}`;
}

// ---- The image

function showImage() {
  const { item } = state;
  const { width, height } = item.chunk;
  set($("image"), { src: pictureOf(item), alt: item.label === null ? nameOf(item) : `${nameOf(item)}, label ${item.label}` });
  $("frame").style.setProperty("--aspect", width / height);
  $("image-name").textContent = nameOf(item);
  showVerdict(item);
  set($("scrubber"), { max: item.chunk.steps });
  $("overlay").classList.remove("gliding");
  set($("overlay"), { viewBox: `-0.5 -0.5 ${width} ${height}` });
  $("overlay").replaceChildren(...item.chunk.tracks.toReversed().map((track) => drawTrack(item, track)), ...drawDigit(item));
  makeSteps(item);
  markThumb();
}

function showVerdict(item) {
  const label = item.label === null ? [] : [`label ${item.label}`];
  const verb = item.right === false ? "taken for" : "predicted";
  const belief = classifies ? [`in the end ${verb} ${item.prediction} with ${percent(item.confidence)}`] : [];
  $("verdict").textContent = `${[...label, ...belief].join(", ")} ${markOf(item.right)}`;
  $("verdict").className = styleOf(item.right);
}

function markOf(right) {
  return right === null ? "" : right ? "✓" : "✗";
}

function styleOf(right) {
  return right === null ? "" : right ? "right" : "wrong";
}

/** Returns one window over all steps: the boxes so far, the path through their centers, and the box of the step shown. */
function drawTrack(item, track) {
  const steps = [...Array(item.chunk.steps).keys()];
  const earlier = steps.map((t) => draw("rect", { class: "earlier", ...boxOf(windowOf(item, track, t), track.n) }));
  const path = track.scale ? [] : [draw("polyline", { class: "path" })];
  const now = ["blur wide", "blur", "halo", "box"].map((name) => draw("rect", { class: name }));
  const centers = track.scale ? [] : [draw("path", { class: "center" })];
  const group = draw("g", { "data-kind": track.kind, "data-scale": track.scale, "data-nested": track.scale > 0 });
  group.append(...earlier, ...path, draw("g", { class: "now" }, ...now), ...centers);
  return group;
}

/** Draws a cross, a little larger for a larger image, where the digit's frame has its center. */
function drawDigit({ chunk, row }) {
  const [x, y] = chunk.digits.subarray(2 * row, 2 * row + 2);
  $("digit-toggle").hidden = !Number.isFinite(x + y);
  if (!Number.isFinite(x + y)) return [];
  const arm = 0.025 * Math.max(chunk.width, chunk.height);
  const cross = `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`;
  return ["digit under", "digit"].map((name) => draw("path", { class: name, d: cross, "data-x": x, "data-y": y }));
}

function placeBoxes() {
  for (const track of state.item.chunk.tracks) {
    const group = $("overlay").querySelector(`[data-kind="${track.kind}"][data-scale="${track.scale}"]`);
    placeTrack(group, track, windowOf(state.item, track, state.step));
  }
  const hidden = !$("show-digit").checked;
  for (const cross of $("overlay").querySelectorAll(".digit")) set(cross, { hidden });
  requestAnimationFrame(() => $("overlay").classList.toggle("gliding", state.rate < 6)); // an image's first boxes do not glide
}

function placeTrack(group, track, place) {
  const [earlier, path, blur] = ["show-earlier", "show-path", "show-blur"].map((id) => $(id).checked);
  group.querySelectorAll(".earlier").forEach((box, t) => set(box, { hidden: !earlier || t >= state.step }));
  for (const box of group.querySelectorAll(".now rect")) set(box, boxOf(place, track.n));
  const blurred = blur && Number.isFinite(place.sigma);
  for (const band of group.querySelectorAll(".blur")) {
    const sigmas = band.matches(".wide") ? 4 : 2; // one or two on either side
    set(band, { hidden: !blurred, "stroke-width": blurred ? sigmas * place.sigma : 0 });
  }
  if (track.scale) return;
  const past = [...Array(state.step + 1).keys()].map((t) => windowOf(state.item, track, t));
  set(group.querySelector(".path"), { points: past.map(({ x, y }) => `${x},${y}`).join(" "), hidden: !path });
  set(group.querySelector(".center"), { d: `M${place.x} ${place.y}h0` });
}

// ---- The step

function showStep() {
  const { item, step } = state;
  placeBoxes();
  $("scrubber").value = step + 1;
  set($("scrubber"), { "aria-valuetext": `step ${step + 1} of ${item.chunk.steps}` });
  $("step-name").textContent = `Step ${step + 1} of ${item.chunk.steps}`;
  showBeliefs(item, step);
  showNumbers(item, step);
  item.chunk.tracks.forEach((track, i) => drawPatch($("seen").children[i]?.firstChild, item, track, step));
  [...$("strip").children].forEach((entry, t) => set(entry.firstChild, { "aria-current": t === step ? "step" : null }));
  keepInView($("strip"), $("strip").children[step]);
}

/** Scrolls a box of its own sideways, never the page. */
function keepInView(strip, entry) {
  const left = entry.offsetLeft - strip.offsetLeft;
  const right = left + entry.offsetWidth;
  if (left < strip.scrollLeft || right > strip.scrollLeft + strip.clientWidth) strip.scrollLeft = left - strip.clientWidth / 2;
}

function makeBars() {
  const part = (name, ...children) => make("span", { class: name }, ...children);
  const bar = (k) => make("li", {}, part("name", `${k}`), part("track", part("fill")), part("share"), part("mark"));
  $("bars").replaceChildren(...[...Array(chunks[0].classes).keys()].map(bar));
  $("beliefs").hidden = !classifies;
}

function showBeliefs(item, step) {
  const beliefs = beliefsOf(item, step);
  if (!beliefs) return;
  const best = argmax(beliefs);
  $("beliefs-name").textContent = `Belief after step ${step + 1}`;
  [...$("bars").children].forEach((bar, k) => {
    const [, track, share, mark] = bar.children;
    bar.classList.toggle("best", k === best);
    bar.classList.toggle("true", k === item.label);
    bar.classList.toggle("wrong", item.label !== null && k !== item.label);
    track.firstChild.style.transform = `scaleX(${beliefs[k]})`;
    share.textContent = percent(beliefs[k]);
    mark.textContent = k === item.label ? "✓ true" : "";
  });
}

function showNumbers(item, step) {
  const rows = item.chunk.tracks.map((track) => {
    const { x, y, stride, sigma, intensity } = windowOf(item, track, step);
    const cells = [`${x.toFixed(1)}, ${y.toFixed(1)}`, stride, sigma, intensity].map((value) => make("td", {}, numberText(value)));
    return make("tr", {}, make("th", { scope: "row" }, trackName(item, track)), ...cells);
  });
  $("numbers").replaceChildren(...rows);
}

function numberText(value) {
  return typeof value === "string" ? value : Number.isFinite(value) ? value.toPrecision(3) : "none";
}

function trackName(item, track) {
  const nested = item.chunk.tracks.some((other) => other.kind === track.kind && other.scale > 0);
  return !nested ? track.kind : kinds.length > 1 ? `${track.kind}, scale ${track.scale + 1}` : `scale ${track.scale + 1}`;
}

// ---- Glimpses

/** Makes the places of the glimpses for this image's model, and the strip of all its steps. */
function makeSteps(item) {
  const { tracks, steps } = item.chunk;
  const kept = tracks.some((track) => track.patches !== null);
  $("glimpses").hidden = !kept;
  $("seen").style.setProperty("--side", tracks.length > 2 ? "72px" : "132px");
  const figure = (track) => make("figure", {}, makePatch(track), make("figcaption", {}, trackName(item, track)));
  $("seen").replaceChildren(...(kept ? tracks.map(figure) : []));
  const short = (value) => Number(value.toPrecision(3));
  const scale = ([kind, { low, high }]) => `Every ${kind}: black is ${short(low)}, white ${short(high)}.`;
  $("shades").textContent = Object.entries(shades).map(scale).join(" ");
  $("strip").replaceChildren(...[...Array(steps).keys()].map((t) => makeStep(item, t)));
}

function makePatch(track) {
  return make("canvas", { width: track.n, height: track.n, role: "img" });
}

function makeStep(item, t) {
  const button = make("button", { type: "button", "aria-label": `Step ${t + 1}. ${believed(item, t)}` });
  for (const track of item.chunk.tracks.filter((track) => track.scale === 0 && track.patches !== null)) {
    button.append(drawPatch(makePatch(track), item, track, t));
  }
  button.append(make("span", { class: "text" }, make("span", { class: "number" }, `${t + 1}`), ...shortVerdict(item, t)));
  button.addEventListener("click", () => show(state.item, t));
  return make("li", {}, button);
}

function shortVerdict(item, t) {
  const beliefs = beliefsOf(item, t);
  if (!beliefs) return [];
  const best = argmax(beliefs);
  const right = item.label === null ? null : best === item.label;
  return [make("b", { class: styleOf(right) }, `${best} ${markOf(right)}`)];
}

function drawPatch(canvas, item, track, t) {
  if (!canvas || track.patches === null) return canvas;
  if (typeof track.patches === "string") track.patches = bytes(track.patches); // only of chunks that are looked at
  const area = track.n ** 2;
  const start = (item.row * item.chunk.steps + t) * track.channels * area;
  const picture = new ImageData(track.n, track.n);
  const { low, high } = shades[track.kind];
  for (let i = 0; i < 4 * area; i++) {
    const channel = Math.min(i % 4, track.channels - 1);
    const value = track.low + (track.patches[start + channel * area + (i >> 2)] / 255) * (track.high - track.low);
    picture.data[i] = i % 4 === 3 ? 255 : (255 * (value - low)) / (high - low || 1);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return set(canvas, { "aria-label": `The ${trackName(item, track)} at step ${t + 1}, ${track.n} by ${track.n}` });
}

// ---- Playing

function play(playing) {
  clearTimeout(state.timer);
  state.playing = playing;
  $("play").classList.toggle("playing", playing);
  $("play-name").textContent = playing ? "Pause" : "Play";
  if (playing && state.step === state.item.chunk.steps - 1) show(state.item, 0);
  if (playing) state.timer = setTimeout(tick, 1000 / state.rate);
  else speak();
}

function tick() {
  show(state.item, state.step + 1);
  if (state.step === state.item.chunk.steps - 1) play(false);
  else state.timer = setTimeout(tick, 1000 / state.rate);
}

function setRate(rate) {
  state.rate = rate;
  $("rate").value = rate;
}

/** Goes to a step by hand, which ends the playing. */
function go(step) {
  play(false);
  show(state.item, step);
}

function goImage(by) {
  const { list } = state;
  if (!list.length) return;
  const at = list.indexOf(state.item);
  show(list[at < 0 ? 0 : Math.max(0, Math.min(at + by, list.length - 1))], state.step);
}

// ---- The list of images

function filters() {
  const [from, to] = [Number($("from").value), Number($("to").value)];
  return { show: $("filters").elements.show.value, class: $("class").value, order: $("order").value, from, to };
}

function classOf(item) {
  return labelled ? item.label : item.prediction;
}

function filter() {
  const wanted = filters();
  const fits = (item) =>
    (wanted.show === "all" || item.right === (wanted.show === "right")) &&
    (wanted.class === "" || classOf(item) === Number(wanted.class)) &&
    (!classifies || (100 * item.confidence >= wanted.from && 100 * item.confidence <= wanted.to));
  state.list = items.filter(fits);
  const sign = { low: 1, high: -1 }[wanted.order];
  if (sign) state.list.sort((a, b) => sign * (a.confidence - b.confidence));
  showRange(wanted);
  showList();
  remember();
}

function showRange({ from, to }) {
  $("range").style.setProperty("--from", from);
  $("range").style.setProperty("--to", to);
  $("from").style.zIndex = from > 50 ? 1 : 0; // so that of two handles in one place the one that can move is on top
  $("range-text").textContent = `${from} to ${to} %`;
}

function showList() {
  const { list } = state;
  const [count, all] = [list, items].map(({ length }) => COUNT.format(length));
  $("count").textContent = count === all ? `${all} in all` : `${count} of ${all}`;
  $("gallery").replaceChildren();
  $("gallery").scrollTop = 0;
  state.made = 0;
  $("none").hidden = list.length > 0;
  makeMore();
  markThumb();
}

/** Adds the next thumbnails; the rest is made when somebody comes to it. */
function makeMore() {
  const next = state.list.slice(state.made, state.made + BATCH);
  state.made += next.length;
  $("gallery").append(...next.map((item) => (item.thumb ??= makeThumb(item))));
  $("more").hidden = state.made >= state.list.length;
  watcher.disconnect();
  if (!$("more").hidden) watcher.observe($("gallery").lastChild);
}

const watcher = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && makeMore());

function makeThumb(item) {
  const wrong = item.right === false;
  const { width, height } = item.chunk;
  const small = Math.max(width, height) < 64;
  const picture = make("img", { src: pictureOf(item), alt: "", decoding: "async", class: small && "small" });
  picture.style.setProperty("--aspect", width / height);
  const classes = wrong ? `${item.label}\u202f→\u202f${item.prediction}` : `${item.label ?? item.prediction ?? item.index}`;
  const share = classifies ? percent(item.confidence, 0) : "";
  const text = make("span", { class: "text" }, make("b", {}, classes), make("span", { class: "share" }, share));
  const name = `${nameOf(item)}. ${believed(item, item.chunk.steps - 1)}`;
  const button = make("button", { type: "button", class: wrong && "wrong", "aria-label": name }, picture, text);
  if (wrong) button.append(make("span", { class: "cross", "aria-hidden": "true" }, "✗"));
  button.addEventListener("click", () => choose(item));
  return make("li", {}, button);
}

function choose(item) {
  play(false);
  show(item, 0);
  if ($("image").getBoundingClientRect().bottom < 100) $("player").scrollIntoView(); // a phone's list lies below the player
}

function markThumb() {
  $("gallery").querySelector("[aria-current]")?.removeAttribute("aria-current");
  while (state.list.indexOf(state.item) >= state.made && state.made < state.list.length) makeMore();
  const thumb = state.item?.thumb;
  if (!thumb?.isConnected) return;
  set(thumb.firstChild, { "aria-current": "true" });
  scrollTo(thumb);
}

function scrollTo(thumb) {
  const gallery = $("gallery");
  const top = thumb.offsetTop - gallery.offsetTop;
  const bottom = top + thumb.offsetHeight;
  const seen = top >= gallery.scrollTop && bottom <= gallery.scrollTop + gallery.clientHeight;
  if (!seen) gallery.scrollTop = top - gallery.clientHeight / 3;
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
  show(item ?? state.item ?? state.list[0] ?? items[0], (Number.parseInt(given.get("step"), 10) || 1) - 1);
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
  $("class").append(...classes.map((name) => make("option", { value: name }, `${name}`)));
  $("class-name").textContent = labelled ? "Label" : "Predicted";
  $("filters").hidden = !classifies;
  $("outcome").hidden = !labelled;
  if (kinds.length > 1) $("kinds").append(...kinds.map((kind) => make("span", { class: `chip ${kind}` }, kind)));
  $("rate").append(...[...Array(9).keys()].map((i) => make("option", { value: i + 1 }, `${i + 1} ${i ? "steps" : "step"}/s`)));
}

makeBars();
offerFilters();
setRate(state.rate);
listen();
restore();
