// Steps: a slider, buttons and speed; and the boxes of windows over an image.

const ICONS = {
  first: "M4 3v10M13 3 7 8l6 5",
  back: "M11 3 5 8l6 5",
  forward: "m5 3 6 5-6 5",
  last: "M12 3v10M3 3l6 5-6 5",
};

function icon(path, attributes = {}) {
  return draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", ...attributes }, draw("path", { d: path }));
}

/**
 * Fills an element with the controls of steps, and returns the player.
 * `onStep(step, playing)` is called when the step changes, and when the playing ends; steps are `from` to `to`.
 */
function makePlayer(place, onStep, from = 1) {
  const player = { step: from, from, to: from, playing: false, timer: 0 };
  const scrubber = make("input", { type: "range", min: from, max: from, step: 1, "aria-label": "Step" });
  const shown = make("output");
  const name = make("span", {}, "Play");
  const play = make("button", { type: "button", class: "primary play" }, icon("M5 3v10l8-5z", { class: "when-paused" }), icon("M5 3v10M11 3v10", { class: "when-playing" }), name);
  const rate = make("select", { "aria-label": "Speed" });
  rate.append(...[1, 2, 4, 8, 16].map((steps) => make("option", { value: steps, selected: steps === 2 }, `${steps} ${steps > 1 ? "steps" : "step"}/s`)));
  const button = (label, path, action) => {
    const made = make("button", { type: "button", "aria-label": label, title: label }, icon(path));
    made.addEventListener("click", action);
    return made;
  };
  const go = (step) => {
    stop();
    move(step);
  };
  place.append(
    make("div", { class: "scrub" }, scrubber, shown),
    make("div", { class: "buttons" },
      button("First step", ICONS.first, () => go(player.from)), button("Step back", ICONS.back, () => go(player.step - 1)), play,
      button("Step forward", ICONS.forward, () => go(player.step + 1)), button("Last step", ICONS.last, () => go(player.to)),
      make("div", { class: "field" }, rate)),
  );

  function move(step) {
    player.step = Math.max(player.from, Math.min(step, player.to));
    const text = `Step ${player.step} of ${player.to}`;
    set(scrubber, { max: player.to, "aria-valuetext": text.toLowerCase() });
    scrubber.value = player.step;
    shown.textContent = text;
    onStep(player.step, player.playing);
  }

  function mark(playing) {
    clearTimeout(player.timer);
    player.playing = playing;
    play.classList.toggle("playing", playing);
    name.textContent = playing ? "Pause" : "Play";
  }

  function stop() {
    if (player.playing) mark(false);
  }

  function tick() {
    const ends = player.step + 1 >= player.to;
    if (ends) mark(false);
    else player.timer = setTimeout(tick, 1000 / Number(rate.value));
    move(player.step + 1);
  }

  function start() {
    if (player.step >= player.to) move(player.from);
    mark(true);
    player.timer = setTimeout(tick, 1000 / Number(rate.value));
  }

  play.addEventListener("click", () => {
    if (!player.playing) return start();
    mark(false);
    move(player.step);
  });
  scrubber.addEventListener("input", () => go(Number(scrubber.value)));
  /** Sets the number of steps and shows a step. */
  const reset = (to, step) => {
    player.to = to;
    move(step);
  };
  return Object.assign(player, { move, go, stop, start, reset, rate });
}

// ---- Boxes

/** Returns an empty overlay for an image of this size. */
function makeOverlay(height, width) {
  return draw("svg", { class: "overlay", "aria-hidden": "true", focusable: "false", preserveAspectRatio: "none", viewBox: `-0.5 -0.5 ${width} ${height}` });
}

/**
 * Draws the boxes of a window at all steps up to one: `windows[step][scale]` has x, y, stride, sigma and intensity.
 * `kind` is "glimpse" or "write", `n` the number of filters along each axis.
 */
function drawBoxes(overlay, windows, step, { n, kind, height, width, earlier = true }) {
  const now = windows[step] ?? [];
  const past = windows.slice(0, step + 1).map(([finest]) => finest);
  const groups = now.map((place, scale) => {
    const box = boxOf(place, n);
    const group = draw("g", { "data-kind": kind, "data-nested": scale > 0 });
    if (earlier && scale === 0) group.append(...past.slice(0, -1).map((one) => draw("rect", { class: "earlier", ...boxOf(one, n) })));
    if (scale === 0 && earlier) group.append(draw("polyline", { class: "path", points: past.map(({ x, y }) => `${x},${y}`).join(" ") }));
    if (Number.isFinite(place.sigma)) group.append(draw("rect", { class: "blur", ...box, "stroke-width": 2 * place.sigma }));
    group.append(...["halo", "box"].map((name) => draw("rect", { class: name, ...box })));
    if (scale === 0) group.append(draw("path", { class: "center", d: `M${place.x} ${place.y}h0` }), draw("path", { class: "arrows", d: arrowsTo(box, { width, height }) }));
    return group;
  });
  overlay.replaceChildren(...groups.toReversed());
}

/** Returns the windows of one image by step and scale, from values of shape (steps, scales, 5). */
function windowsOf(values, steps, scales) {
  const field = (t, s) => [...values.subarray(5 * (t * scales + s), 5 * (t * scales + s) + 5)];
  const named = ([x, y, stride, sigma, intensity]) => ({ x, y, stride, sigma, intensity });
  return Array.from({ length: steps }, (_, t) => Array.from({ length: scales }, (_, s) => named(field(t, s))));
}
