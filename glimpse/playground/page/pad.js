// The pad on which a digit is drawn by mouse, pen or finger.

const PAD = 280; // pixels along each axis
const PEN = 0.09 * PAD;

/** Makes a canvas a pad, and returns it: `ink()`, `clear()`; `onChange` is called while a line is drawn, `onEnd` at its end. */
function makePad(canvas, onChange, onEnd) {
  set(canvas, { width: PAD, height: PAD });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
  let from = null;

  const place = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * PAD, ((clientY - box.top) / box.height) * PAD];
  };
  const line = (event) => {
    const to = place(event);
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    from = to;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    from = place(event);
    line(event);
    onChange();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) line(part);
    onChange();
  });
  const end = () => {
    if (!from) return;
    from = null;
    onEnd();
  };
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);

  return {
    clear: () => context.clearRect(0, 0, PAD, PAD),
    ink: () => {
      const { data } = context.getImageData(0, 0, PAD, PAD);
      return Float32Array.from({ length: PAD * PAD }, (_, i) => data[4 * i + 3] / 255);
    },
    /** Shows a glyph on the pad, as if it had been drawn. */
    show: (glyph) => {
      const small = paint(new OffscreenCanvas(glyph.width, glyph.height), glyph.pixels, { ...glyph, channels: 1, high: 255 });
      context.clearRect(0, 0, PAD, PAD);
      context.drawImage(small, 0, 0, PAD, PAD);
    },
  };
}
