// What a window sees: n x n values through Gaussian filters (GlimpseHow.read), or the means of boxes of RAM's retina.

/** Returns the n x n values of a window in every channel of an image: `values` (channels, height, width). */
function glimpseOf(values, { channels, height, width }, { x, y, stride, sigma, intensity }, n) {
  const area = height * width;
  const patch = new Float32Array(channels * n * n);
  for (let c = 0; c < channels; c++) {
    const channel = values.subarray(c * area, (c + 1) * area);
    const seen = Number.isFinite(sigma)
      ? GlimpseHow.read(channel, height, width, [x, y, stride, sigma, intensity], n)
      : boxesOf(channel, height, width, { x, y, stride }, n);
    patch.set(seen, c * n * n);
  }
  return patch;
}

/** Returns the means of n x n boxes of stride x stride pixels, which are 0 outside the image. */
function boxesOf(values, height, width, { x, y, stride }, n) {
  const side = Math.round(stride);
  const [left, top] = [x, y].map((center) => Math.round(center - (n * side - 1) / 2));
  return Float32Array.from({ length: n * n }, (_, i) => {
    const [row, column] = [top + Math.floor(i / n) * side, left + (i % n) * side];
    let sum = 0;
    for (let a = Math.max(0, row); a < Math.min(height, row + side); a++) {
      for (let b = Math.max(0, column); b < Math.min(width, column + side); b++) sum += values[a * width + b];
    }
    return sum / (side * side);
  });
}
