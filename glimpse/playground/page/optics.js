// What a window sees: Gaussian filters, eqs. 19-27 of DRAW (arXiv:1502.04623), and the means of boxes of RAM's retina.

const NEGLIGIBLE = Math.log(1e-26); // relative to the nearest pixel

/** Returns n Gaussian filters over the pixels of an axis, one after the other; each sums to 1. */
function filtersOf(center, stride, sigma, n, pixels) {
  const rows = new Float64Array(n * pixels);
  for (let i = 0; i < n; i++) {
    const mu = center + (i - (n - 1) / 2) * stride;
    const nearest = Math.round(Math.max(0, Math.min(mu, pixels - 1)));
    let sum = 0;
    for (let a = 0; a < pixels; a++) {
      const exponent = (-(a - nearest) * (a + nearest - 2 * mu)) / (2 * sigma * sigma);
      sum += rows[i * pixels + a] = exponent < NEGLIGIBLE ? 0 : Math.exp(exponent);
    }
    for (let a = 0; a < pixels; a++) rows[i * pixels + a] /= sum;
  }
  return rows;
}

/** Returns the n x n values of a window in every channel of an image: `values` (channels, height, width). */
function glimpseOf(values, { channels, height, width }, window, n) {
  if (!Number.isFinite(window.sigma)) return boxesOf(values, { channels, height, width }, window, n);
  const [down, across] = [filtersOf(window.y, window.stride, window.sigma, n, height), filtersOf(window.x, window.stride, window.sigma, n, width)];
  const patch = new Float32Array(channels * n * n);
  const sums = new Float64Array(n * width);
  for (let c = 0; c < channels; c++) {
    sums.fill(0);
    for (let i = 0; i < n; i++) {
      for (let y = 0; y < height; y++) {
        const weight = down[i * height + y];
        if (weight) for (let x = 0; x < width; x++) sums[i * width + x] += weight * values[(c * height + y) * width + x];
      }
    }
    for (let i = 0; i < n * n; i++) {
      let sum = 0;
      for (let x = 0; x < width; x++) sum += across[(i % n) * width + x] * sums[Math.floor(i / n) * width + x];
      patch[c * n * n + i] = window.intensity * sum;
    }
  }
  return patch;
}

/** Returns the means of n x n boxes of stride x stride pixels, which are 0 outside the image. */
function boxesOf(values, { channels, height, width }, { x, y, stride }, n) {
  const side = Math.round(stride);
  const [left, top] = [x, y].map((center) => Math.round(center - (n * side - 1) / 2));
  return Float32Array.from({ length: channels * n * n }, (_, i) => {
    const [c, row, column] = [Math.floor(i / (n * n)), Math.floor(i / n) % n, i % n];
    let sum = 0;
    for (let a = Math.max(0, top + row * side); a < Math.min(height, top + (row + 1) * side); a++) {
      for (let b = Math.max(0, left + column * side); b < Math.min(width, left + (column + 1) * side); b++) sum += values[(c * height + a) * width + b];
    }
    return sum / (side * side);
  });
}
