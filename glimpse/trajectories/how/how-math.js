// The equations of a glimpse, as in glimpse.attention: positions in pixels, 0 is the center of the first one, x before y.

globalThis.GlimpseHow = (() => {
  /** Returns the positions of n filters along an axis: eqs. 19 and 20 of DRAW, counted from 0. */
  function positions(center, stride, n) {
    return Array.from({ length: n }, (_, i) => center + (i - (n - 1) / 2) * stride);
  }

  /**
   * Returns n Gaussian filters over the pixels of an axis, one after the other: eqs. 25 and 26 of DRAW.
   * The exponent of the nearest pixel is subtracted, so that a filter outside the picture reads its edge and the sum is at least 1.
   */
  function filters(center, stride, sigma, n, pixels) {
    const rows = new Float64Array(n * pixels);
    positions(center, stride, n).forEach((mu, i) => {
      const row = rows.subarray(i * pixels, (i + 1) * pixels);
      const nearest = Math.round(Math.min(Math.max(mu, 0), pixels - 1));
      row.forEach((_, a) => (row[a] = Math.exp(-((a - nearest) * (a + nearest - 2 * mu)) / (2 * sigma * sigma))));
      const total = row.reduce((sum, weight) => sum + weight, 0);
      row.forEach((weight, a) => (row[a] = weight / total));
    });
    return rows;
  }

  /** Returns the filters over rows, F_Y, and over columns, F_X. */
  function filterbank(window, n, height, width) {
    const [x, y, stride, sigma] = window;
    return [filters(y, stride, sigma, n, height), filters(x, stride, sigma, n, width)];
  }

  /** Returns the product of a matrix (rows x inner) and the transpose of one (columns x inner). */
  function timesTransposed(left, right, rows, columns, inner) {
    const product = new Float64Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) sum += left[r * inner + k] * right[c * inner + k];
        product[r * columns + c] = sum;
      }
    }
    return product;
  }

  function transposed(matrix, rows, columns) {
    return Float64Array.from(matrix, (_, k) => matrix[(k % rows) * columns + Math.floor(k / rows)]);
  }

  /**
   * Returns the n x n numbers of a glimpse, row after row: eq. 27 of DRAW.
   * `image` holds height x width pixels; `window` is center x, center y, stride, sigma, intensity.
   */
  function read(image, height, width, window, n) {
    const [overRows, overColumns] = filterbank(window, n, height, width);
    const across = timesTransposed(overColumns, image, n, height, width); // n x height
    return timesTransposed(overRows, across, n, n, height).map((sum) => window[4] * sum);
  }

  /** Returns the height x width pixels of an n x n patch written through a window: eq. 29 of DRAW. */
  function write(patch, height, width, window, n) {
    const [overRows, overColumns] = filterbank(window, n, height, width);
    const across = timesTransposed(transposed(overColumns, n, width), patch, width, n, n); // width x n
    return timesTransposed(transposed(overRows, n, height), across, height, width, n).map((sum) => sum / window[4]);
  }

  /** Returns the five unconstrained numbers that eqs. 21 to 24 of DRAW turn into a window. */
  function unconstrained([x, y, stride, sigma, intensity], n, height, width) {
    const widest = (Math.max(height, width) - 1) / Math.max(n - 1, 1);
    return [
      (2 * (x + 1)) / (width + 1) - 1,
      (2 * (y + 1)) / (height + 1) - 1,
      2 * Math.log(sigma),
      Math.log(stride / widest),
      Math.log(intensity),
    ];
  }

  return { positions, filters, read, write, unconstrained };
})();
