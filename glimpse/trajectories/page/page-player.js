// The player: image, boxes, beliefs, glimpses; the files of the page are one module, in the order that page.py gives.

// ---- The image

function showImage() {
  const { item } = state;
  const { width, height } = item.chunk;
  set($("image"), { src: pictureOf(item), alt: item.label === null ? nameOf(item) : `${nameOf(item)}, label ${className(item.label)}` });
  $("frame").style.setProperty("--aspect", width / height);
  showCanvas(item);
  $("image-name").textContent = nameOf(item);
  showVerdict(item);
  set($("scrubber"), { max: item.chunk.steps });
  for (const overlay of overlays) {
    const tracks = item.chunk.tracks.filter((track) => overlayOf(track) === overlay);
    overlay.classList.remove("gliding");
    set(overlay, { viewBox: `-0.5 -0.5 ${width} ${height}` });
    overlay.replaceChildren(...tracks.toReversed().map((track) => drawTrack(item, track)));
  }
  $("overlay").append(...drawDigit(item));
  makeSteps(item);
  markThumb();
}

/** Shows the canvas next to the image, if the model has one; `showStep` moves it. */
function showCanvas(item) {
  const { drawn, steps } = item.chunk;
  for (const caption of document.querySelectorAll(".stage figcaption")) caption.hidden = drawn === null;
  $("canvas-figure").hidden = drawn === null;
  $("columns").classList.toggle("drawing", drawn !== null);
  if (drawn === null) return;
  const [height, width] = drawn.canvas;
  $("canvas-frame").style.setProperty("--aspect", width / height);
  placeFilm(set($("canvas"), { src: filmOf(item) }), state.step, steps);
}

/** Moves the film of canvases so that the one after a step is seen. */
function placeFilm(film, t, steps) {
  film.style.height = `${100 * steps}%`;
  film.style.top = `${-100 * t}%`;
  return film;
}

function overlayOf(track) {
  return onCanvas(track) ? $("canvas-overlay") : $("overlay");
}

function showVerdict(item) {
  const label = item.label === null ? [] : [`label ${className(item.label)}`];
  const belief = classifies ? [`in the end predicted ${className(item.prediction)} with ${percent(item.confidence)}`] : [];
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
  const earlier = (track.scale ? [] : steps).map((t) => draw("rect", { class: "earlier", ...boxOf(windowOf(item, track, t), track.n) }));
  const path = track.scale ? [] : [draw("polyline", { class: "path" })];
  const now = ["blur wide", "blur", "halo", "box"].map((name) => draw("rect", { class: name }));
  const centers = track.scale ? [] : [draw("path", { class: "center" }), draw("path", { class: "arrows" })];
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
    const group = overlayOf(track).querySelector(`[data-kind="${track.kind}"][data-scale="${track.scale}"]`);
    placeTrack(group, track, windowOf(state.item, track, state.step));
  }
  const hidden = !$("show-digit").checked;
  for (const cross of $("overlay").querySelectorAll(".digit")) set(cross, { hidden });
  requestAnimationFrame(() => {
    for (const overlay of overlays) overlay.classList.toggle("gliding", state.rate < 6); // an image's first boxes do not glide
  });
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
  set(group.querySelector(".arrows"), { d: arrowsTo(boxOf(place, track.n), state.item.chunk) });
}

// ---- The step

function showStep() {
  const { item, step } = state;
  placeBoxes();
  if (item.chunk.drawn) placeFilm(set($("canvas"), { alt: `The canvas after step ${step + 1}` }), step, item.chunk.steps);
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
  const bar = (k) => make("li", {}, part("name", className(k)), part("track", part("fill")), part("share"), part("mark"));
  $("bars").replaceChildren(...[...Array(chunks[0].classes).keys()].map(bar));
  for (const name of $("bars").querySelectorAll(".name")) name.title = name.textContent;
  const letters = Math.max(0, ...[...Array(chunks[0].classes).keys()].map((k) => className(k).length));
  $("bars").style.setProperty("--name", `${Math.min(14, Math.max(2.5, letters))}ch`);
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
  const figure = (track) => make("figure", { "data-kind": track.kind }, makePatch(track), make("figcaption", {}, trackName(item, track)));
  $("seen").replaceChildren(...(kept ? tracks.map(figure) : []));
  const short = (value) => Number(value.toPrecision(3));
  const scale = ([kind, { low, high }]) => {
    if (kind === "glimpse") return `Every glimpse: black is ${low < 0 ? "its smallest number" : "0"}, white its largest one.`;
    const [less, more] = kind === "write" ? [" or less, gray 0", " or more"] : ["", ""]; // a write's scale is cut off
    return `Every ${kind}: black is ${short(low)}${less}, white ${short(high)}${more}.`;
  };
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
  if (item.chunk.drawn) button.append(makeFilm(item, t));
  button.append(make("span", { class: "text" }, make("span", { class: "number" }, `${t + 1}`), ...shortVerdict(item, t)));
  button.addEventListener("click", () => show(state.item, t));
  return make("li", {}, button);
}

function makeFilm(item, t) {
  const film = make("span", { class: "film" }, placeFilm(make("img", { src: filmOf(item), alt: "" }), t, item.chunk.steps));
  const [height, width] = item.chunk.drawn.canvas;
  film.style.setProperty("--aspect", width / height);
  return film;
}

function shortVerdict(item, t) {
  const beliefs = beliefsOf(item, t);
  if (!beliefs) return [];
  const best = argmax(beliefs);
  const right = item.label === null ? null : best === item.label;
  return [make("b", { class: styleOf(right) }, `${className(best)} ${markOf(right)}`)];
}

function drawPatch(canvas, item, track, t) {
  if (!canvas || track.patches === null) return canvas;
  if (typeof track.patches === "string") track.patches = bytes(track.patches); // only of chunks that are looked at
  const area = track.n ** 2;
  const start = (item.row * item.chunk.steps + t) * track.channels * area;
  const picture = new ImageData(track.n, track.n);
  const value = (q) => track.low + (q / 255) * (track.high - track.low);
  const { low, high } = shadesOf(track, track.patches.subarray(start, start + track.channels * area), value);
  for (let i = 0; i < 4 * area; i++) {
    const channel = Math.min(i % 4, track.channels - 1);
    const number = value(track.patches[start + channel * area + (i >> 2)]);
    picture.data[i] = i % 4 === 3 ? 255 : (255 * (number - low)) / (high - low || 1);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return set(canvas, { "aria-label": `The ${trackName(item, track)} at step ${t + 1}, ${track.n} by ${track.n}` });
}

/** Returns the numbers shown as black and white: of a classifier's glimpse its own, since a wide window sees faint numbers. */
function shadesOf(track, patch, value) {
  const common = shades[track.kind];
  if (track.kind !== "glimpse") return common;
  return { low: Math.min(0, value(Math.min(...patch))), high: Math.max(value(Math.max(...patch)), FAINT * common.high) };
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
