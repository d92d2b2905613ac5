// The view: picture, grid, sliders, numbers, equations. GlimpseHow.mount() brings one section to life; how-math.js holds the equations.

globalThis.GlimpseHow.mount = (() => {
  const { positions, filters, read, write, unconstrained } = globalThis.GlimpseHow;
  const FIELDS = ["center x", "center y", "stride", "sigma", "intensity"];
  const NOTCHES = 200; // of every slider
  const SVG = "http://www.w3.org/2000/svg";

  // ---- Texts

  const number = (value, digits = 2) => value.toFixed(digits).replace("-", "\u2212").replace(/^\u2212(0(\.0*)?)$/, "$1");
  /** Returns a number in at most four characters, for a cell: without the zero before the point. */
  function short(value) {
    const text = number(value, Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0);
    return text === "0.00" ? "0" : text.replace(/^(\u2212?)0\./, "$1.");
  }
  const subscripted = (symbol, below) => [symbol, make("sub", below)];

  function make(name, ...content) {
    const element = document.createElement(name);
    element.append(...content);
    return element;
  }

  function draw(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  }

  // ---- Ranges of the sliders: linear for positions, logarithmic for the others

  function rangesOf({ height, width, n }) {
    const widest = (Math.max(height, width) - 1) / Math.max(n - 1, 1);
    const linear = (low, high) => ({ toValue: (t) => low + t * (high - low), toShare: (v) => (v - low) / (high - low) });
    const log = (low, high) => ({
      toValue: (t) => low * (high / low) ** t,
      toShare: (v) => Math.log(Math.max(v, 1e-9) / low) / Math.log(high / low),
    });
    return [
      { ...linear(-0.2 * width, 1.2 * width), least: -1e4, most: 1e4, unit: "px" },
      { ...linear(-0.2 * height, 1.2 * height), least: -1e4, most: 1e4, unit: "px" },
      { ...log(widest / 40, widest * 2), least: 1e-3, most: 1e4, unit: "px" },
      { ...log(0.1, Math.max(height, width) / 4), least: 1e-2, most: 1e4, unit: "px" },
      { ...log(0.05, 20), least: 1e-3, most: 1e3, unit: "" },
    ];
  }

  // ---- Drawing

  /** Paints gray values, 0 to `white`, onto a canvas, one pixel each. */
  function paint(canvas, values, height, width, white) {
    Object.assign(canvas, { height, width });
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    values.forEach((value, k) => {
      pixels.data.fill(Math.round((255 * Math.min(Math.max(value, 0), white)) / white), 4 * k, 4 * k + 3);
      pixels.data[4 * k + 3] = 255;
    });
    context.putImageData(pixels, 0, 0);
  }

  function boxOf([x, y, stride], n, name) {
    const side = (n - 1) * stride;
    return draw("rect", { class: name, x: x - side / 2, y: y - side / 2, width: side, height: side });
  }

  /** Draws a disk, one sigma wide, and a dot for every filter, the boxes of this window and the next, and the chosen filter. */
  function drawGrid(svg, picture, state, next) {
    const { height, width, n } = picture;
    const [x, y, stride, sigma] = state.window;
    const unit = Math.max(height, width) / 100;
    svg.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`);
    const places = positions(y, stride, n).flatMap((cy) => positions(x, stride, n).map((cx) => ({ cx, cy })));
    const disks = places.map((place) => draw("circle", { class: "how-disk", ...place, r: sigma }));
    const dots = places.map((place) => draw("circle", { class: "how-dot", ...place, r: 0.45 * unit }));
    const chosen = places[state.row * n + state.column];
    const marks = [1, 2].map((times) => draw("circle", { class: "how-chosen", ...chosen, r: times * sigma }));
    const boxes = [boxOf(state.window, n, "how-halo"), boxOf(state.window, n, "how-box")];
    if (next) boxes.unshift(boxOf(next, n, "how-halo"), boxOf(next, n, "how-next"));
    svg.replaceChildren(...disks, ...dots, ...boxes, ...marks);
  }

  /** Draws the filters along one axis as curves over its pixels, the highest at full height. */
  function drawProfile(svg, center, picture, state, vertical) {
    const { n } = picture;
    const pixels = vertical ? picture.height : picture.width;
    const rows = filters(center, state.window[2], state.window[3], n, pixels);
    const highest = rows.reduce((most, weight) => Math.max(most, weight), 0);
    const curve = (i) => {
      const weights = rows.subarray(i * pixels, (i + 1) * pixels);
      return Array.from(weights, (weight, a) => (vertical ? `${weight / highest},${a}` : `${a},${1 - weight / highest}`)).join(" ");
    };
    svg.setAttribute("viewBox", vertical ? `-0.05 -0.5 1.1 ${pixels}` : `-0.5 -0.05 ${pixels} 1.1`);
    const chosen = vertical ? state.row : state.column;
    const curves = [...Array(n).keys()].map((i) => draw("polyline", { class: "how-curve", points: curve(i) }));
    svg.replaceChildren(...curves, draw("polyline", { class: "how-curve how-chosen", points: curve(chosen) }));
  }

  // ---- One section

  return function mount(section, pictures) {
    const part = (name) => section.querySelector(`[data-how="${name}"]`);
    const state = { picture: null, step: 0, window: [], row: 0, column: 0, numbers: [] };
    let inputs = [];
    let cells = [];

    /** Shows another picture, at its first window. */
    function show(picture) {
      state.picture = picture;
      const { height, width, n } = picture;
      state.row = state.column = Math.floor(n / 2);
      part("frame").style.setProperty("--how-aspect", width / height);
      paint(part("picture"), picture.image, height, width, 1);
      part("picture").setAttribute("aria-label", `The picture: ${picture.name}`);
      part("count").textContent = `${n} × ${n} numbers`;
      makeSliders();
      makeCells();
      goTo(0);
    }

    function goTo(step) {
      state.step = Math.min(Math.max(step, 0), state.picture.windows.length - 1);
      change([...state.picture.windows[state.step]]);
    }

    function change(window) {
      state.window = window.map((value, k) => {
        const { least, most } = inputs[k].range;
        return Math.min(Math.max(value, least), most);
      });
      update();
    }

    function isByHand() {
      return state.picture.windows[state.step].some((value, k) => value !== state.window[k]);
    }

    function update() {
      const { image, height, width, n, windows } = state.picture;
      state.numbers = read(image, height, width, state.window, n);
      drawGrid(part("grid"), state.picture, state, isByHand() ? null : windows[state.step + 1]);
      drawProfile(part("columns"), state.window[0], state.picture, state, false);
      drawProfile(part("rows"), state.window[1], state.picture, state, true);
      const written = write(state.numbers, height, width, state.window, n);
      paint(part("written"), written, height, width, written.reduce((most, value) => Math.max(most, value), 1e-9));
      for (const [k, { slider, field, range }] of inputs.entries()) {
        const share = Math.min(Math.max(range.toShare(state.window[k]), 0), 1);
        slider.value = Math.round(NOTCHES * share);
        slider.setAttribute("aria-valuetext", `${number(state.window[k])} ${range.unit}`.trim());
        if (document.activeElement !== field) field.value = Number(state.window[k].toFixed(3));
      }
      showNumbers();
      showCell();
      showStatus();
      showEquations();
    }

    // ---- The windows of the model

    function showStatus() {
      const { windows, beliefs } = state.picture;
      const named = windows.length > 1 ? `Window ${state.step + 1} of ${windows.length} of the model. ` : "";
      const belief = beliefs ? `After this glimpse it predicts ${beliefs[state.step]}.` : "";
      const text = isByHand() ? "A window of your own: the model has not seen this glimpse." : named + belief;
      if (part("status").textContent !== text) part("status").textContent = text; // a screen reader repeats what is set again
      part("previous").disabled = state.step === 0;
      part("next").disabled = state.step === windows.length - 1;
      part("dashed").hidden = isByHand() || state.step === windows.length - 1;
      part("back").disabled = !isByHand();
    }

    // ---- The sliders

    function makeSliders() {
      inputs = rangesOf(state.picture).map((range, k) => {
        const [slider, field] = [document.createElement("input"), document.createElement("input")];
        const unit = range.unit ? ` in ${range.unit}` : "";
        Object.assign(slider, { type: "range", min: 0, max: NOTCHES, step: 1, ariaLabel: `${FIELDS[k]}, slider` });
        Object.assign(field, { type: "number", step: "any", min: range.least, max: range.most, ariaLabel: `${FIELDS[k]}${unit}` });
        const changed = (value) => change(state.window.map((before, j) => (j === k ? value : before)));
        slider.addEventListener("input", () => changed(range.toValue(Number(slider.value) / NOTCHES)));
        field.addEventListener("input", () => field.value !== "" && field.validity.valid && changed(Number(field.value)));
        field.addEventListener("blur", () => update());
        return { slider, field, range };
      });
      part("sliders").replaceChildren(
        ...inputs.map(({ slider, field, range }, k) => {
          const row = make("div", make("span", FIELDS[k]), slider, field, make("span", range.unit));
          row.className = "how-slider";
          return row;
        }),
      );
    }

    /** Moves the grid to where the pointer is. */
    function point(event) {
      const { left, top, width, height } = part("frame").getBoundingClientRect();
      const x = ((event.clientX - left) / width) * state.picture.width - 0.5;
      const y = ((event.clientY - top) / height) * state.picture.height - 0.5;
      change([x, y, ...state.window.slice(2)]);
    }

    // ---- The numbers

    function makeCells() {
      const { n } = state.picture;
      const rows = [...Array(n).keys()].map((row) => {
        const line = make("div");
        line.setAttribute("role", "row");
        line.append(
          ...[...Array(n).keys()].map((column) => {
            const cell = make("span");
            cell.setAttribute("role", "gridcell");
            const choose = () => chooseCell(row, column);
            cell.addEventListener("focus", choose);
            cell.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choose());
            cell.addEventListener("click", () => cell.focus());
            return cell;
          }),
        );
        return line;
      });
      part("glimpse").style.setProperty("--how-n", n);
      part("glimpse").setAttribute("aria-label", `The glimpse, ${n} rows and ${n} columns; arrows choose a number`);
      part("glimpse").replaceChildren(...rows);
      cells = [...part("glimpse").querySelectorAll("span")];
    }

    function showNumbers() {
      const white = Math.max(state.window[4], 1e-9);
      cells.forEach((cell, k) => {
        const value = state.numbers[k];
        const shade = Math.round(255 * Math.min(Math.max(value / white, 0), 1));
        cell.textContent = short(value);
        cell.dataset.value = value;
        cell.style.background = `rgb(${shade} ${shade} ${shade})`;
        cell.style.color = shade > 117 ? "#000" : "#fff";
      });
    }

    function chooseCell(row, column) {
      if (row === state.row && column === state.column) return;
      Object.assign(state, { row, column });
      update();
    }

    function showCell() {
      const chosen = state.row * state.picture.n + state.column;
      cells.forEach((cell, k) => {
        cell.tabIndex = k === chosen ? 0 : -1;
        cell.setAttribute("aria-selected", k === chosen);
      });
      part("cell").textContent = `Row ${state.row}, column ${state.column}: ${number(state.numbers[chosen], 4)}. Shades go from 0 to the intensity.`;
    }

    function press(event) {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (!Object.hasOwn(moves, event.key)) return;
      event.preventDefault();
      const last = state.picture.n - 1;
      const [row, column] = [state.row + moves[event.key][0], state.column + moves[event.key][1]].map((at) => Math.min(Math.max(at, 0), last));
      cells[row * (last + 1) + column].focus();
    }

    // ---- The equations, with the numbers of the chosen filter

    function showEquations() {
      const { height, width, n, image } = state.picture;
      const { row, column, window, numbers } = state;
      const [x, y, stride, sigma, intensity] = window;
      const [muX, muY] = [positions(x, stride, n)[column], positions(y, stride, n)[row]];
      const raw = unconstrained(window, n, height, width).map((value) => number(value));
      part("raw").replaceChildren(`(${raw.join(", ")})`);
      const at = (symbol, axis, index, value) => [...subscripted(symbol, axis), `[${index}] = ${number(value)}`];
      part("place").replaceChildren(...at("μ", "X", column, muX), ", ", ...at("μ", "Y", row, muY), " for the chosen number");
      const nearest = Math.round(Math.min(Math.max(muX, 0), width - 1));
      const weight = filters(x, stride, sigma, n, width)[column * width + nearest];
      part("weight").replaceChildren(...subscripted("F", "X"), `[${column}, ${nearest}] = ${number(weight, 4)}, at the nearest column`);
      const sum = read(image, height, width, [x, y, stride, sigma, 1], n)[row * n + column];
      const value = number(numbers[row * n + column], 4);
      part("sum").textContent = `row ${row}, column ${column}: ${number(intensity, 3)} × ${number(sum, 4)} = ${value}`;
    }

    // ---- Events

    part("pictures").append(...pictures.map((picture, k) => new Option(picture.name, k)));
    part("choice").hidden = pictures.length < 2;
    part("pictures").addEventListener("change", () => show(pictures[part("pictures").value]));
    part("previous").addEventListener("click", () => goTo(state.step - 1));
    part("next").addEventListener("click", () => goTo(state.step + 1));
    part("back").addEventListener("click", () => goTo(state.step));
    part("glimpse").addEventListener("keydown", press);
    part("frame").addEventListener("click", point);
    part("frame").addEventListener("pointermove", (event) => event.pointerType === "mouse" && event.buttons & 1 && point(event));
    show(pictures[0]);
    return { show, state };
  };
})();

/** Returns the pictures that a fragment written by Python carries, for GlimpseHow.mount(). */
globalThis.GlimpseHow.pictures = (text) => {
  const floats = (base64) => new Float32Array(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
  return JSON.parse(text).map((picture) => ({ ...picture, image: floats(picture.image) }));
};
