// The list of images and its filters; the files of the page are one module, in the order that page.py gives.

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
  if (state.item && state.list.length && !state.list.includes(state.item)) choose(state.list[0]);
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
  const one = item.label ?? item.prediction;
  const classes = wrong ? `${className(item.label)}\u202f→\u202f${className(item.prediction)}` : one === null ? `${item.index}` : className(one);
  const share = classifies ? percent(item.confidence, 0) : "";
  const text = make("span", { class: "text", title: classes }, make("b", {}, classes), make("span", { class: "share" }, share));
  const name = `${nameOf(item)}. ${believed(item, item.chunk.steps - 1)}`;
  const button = make("button", { type: "button", class: wrong && "wrong", "aria-label": name }, picture, text);
  if (item.name) button.append(make("span", { class: "file", title: item.name }, item.name));
  if (wrong) button.append(make("span", { class: "cross", "aria-hidden": "true" }, "✗"));
  button.addEventListener("click", () => chooseThumb(item));
  return make("li", {}, button);
}

/** Shows an image from its first step. */
function choose(item) {
  play(false);
  show(item, 0);
}

function chooseThumb(item) {
  choose(item);
  if ($("image").getBoundingClientRect().bottom < 100) $("image-name").scrollIntoView(); // a phone's list is below the player
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
  keepInView(gallery, thumb); // on a phone it is one row
}
