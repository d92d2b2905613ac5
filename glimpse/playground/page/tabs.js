// The tabs: one is shown, by the address or the keys; each starts when it is first shown.

const tabs = [...document.querySelectorAll("[role=tab]")];
const running = new Set();

function panelOf(tab) {
  return $(tab.getAttribute("aria-controls"));
}

function showTab(tab, focuses = false) {
  for (const other of tabs) {
    const shown = other === tab;
    set(other, { "aria-selected": shown ? "true" : "false", tabindex: shown ? 0 : -1 });
    panelOf(other).hidden = !shown;
  }
  if (focuses) tab.focus();
  const name = panelOf(tab).id;
  history.replaceState(null, "", `#${name}`);
  startTab(name);
  TABS[name].show?.();
}

function startTab(name) {
  if (running.has(name)) return;
  running.add(name);
  TABS[name].start();
}

function addressedTab() {
  return tabs.find((tab) => `#${panelOf(tab).id}` === location.hash) ?? tabs[0];
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => showTab(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[key];
    if (to !== undefined) showTab(tabs[to % tabs.length], true);
  });
});
addEventListener("hashchange", () => showTab(addressedTab()));
showState("Loading the models …");
showTab(addressedTab());
