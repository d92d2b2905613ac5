"use strict";

// Elements of a page and numbers; the first part of the one module that each page is.

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

// ---- Numbers

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer); // little-endian, as every machine with a browser is
}

function argmax(values) {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

// ---- Drawing over an image

/** Returns the box through the centers of the outermost of n x n filters. */
function boxOf({ x, y, stride }, n) {
  const side = (n - 1) * stride;
  return { x: x - side / 2, y: y - side / 2, width: side, height: side };
}

/** Returns the path of arrows around the image to the sides of a box that are outside of it. */
function arrowsTo(box, { width, height }) {
  const size = 0.03 * Math.max(width, height);
  const far = 2 * size; // beyond the image, where the page still shows a box
  const along = (middle, length) => Math.max(size - 0.5, Math.min(middle, length - 0.5 - size));
  const [x, y] = [along(box.x + box.width / 2, width), along(box.y + box.height / 2, height)];
  const sides = [[box.x, box.x + box.width, width, false], [box.y, box.y + box.height, height, true]];
  const arrows = sides.flatMap(([low, high, length, vertical]) => [low, high].map((side) => {
    if (side >= -0.5 - far && side <= length - 0.5 + far) return "";
    const out = side < 0 ? -1 : 1;
    const tip = out < 0 ? -0.5 - far : length - 0.5 + far;
    const [back, half] = [-1.6 * out * size, 0.9 * size];
    return vertical ? `M${x} ${tip}l${half} ${back}h${-2 * half}z` : `M${tip} ${y}l${back} ${half}v${-2 * half}z`;
  }));
  return [...new Set(arrows)].join("");
}
