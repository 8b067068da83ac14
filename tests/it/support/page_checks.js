// What is wrong with a page for people who do not see it, or see it badly: a list of sentences, empty when all is well.
// Run in the page by tests/it/pages.rs.
"use strict";
const wrong = [];
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (what, element) => {
  const classes = element?.getAttribute?.("class");
  const name = element ? `<${element.tagName.toLowerCase()}${classes ? ` class="${classes}"` : ""}> ${(element.textContent || "").trim().slice(0, 40)}` : "";
  wrong.push(`${what} ${name}`.trim());
};
const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
const isUnseen = (element) => Boolean(element.closest(".unseen, .skip, .sprite, .drawer-switch")) || getComputedStyle(element).clipPath !== "none";

// Structure
if (!document.documentElement.lang) say("no language");
if (!document.title.trim()) say("no title");
for (const [selector, what] of [["main", "main"], ["body > header", "header"], ["nav[aria-label='Main']", "navigation"], ["[role=search]", "search"]]) {
  const found = $$(selector).length;
  if (found !== 1) say(`${found} landmarks ${what}`);
}
const names = $$("nav").map((nav) => nav.getAttribute("aria-label"));
if (names.some((name) => !name) || new Set(names).size !== names.length) say(`navigations not told apart: ${names}`);
const headings = $$("main h1, main h2, main h3, main h4").filter(isShown);
if (headings.filter((heading) => heading.tagName === "H1").length !== 1) say("not exactly one h1");
let level = 0;
for (const heading of headings) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) say("a heading skips a level", heading);
  level = own;
  if (!heading.textContent.trim()) say("an empty heading", heading);
}
const ids = $$("[id]").map((element) => element.id);
for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) say(`id ${id} twice`);
for (const attribute of ["aria-labelledby", "aria-describedby", "for"])
  for (const element of $$(`[${attribute}]`))
    for (const id of element.getAttribute(attribute).split(" ")) if (!document.getElementById(id)) say(`${attribute} leads nowhere`, element);
if (!$$("[role=status], [aria-live]").length) say("nothing tells of changes");

// Names
const nameOf = (element) =>
  element.getAttribute("aria-label") ||
  (element.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join("") ||
  [...(element.labels || [])].map((label) => label.textContent).join("") ||
  element.textContent || element.title;
for (const element of $$("input:not([type=hidden]), select, textarea")) {
  const label = element.getAttribute("aria-label") || [...(element.labels || [])].map((one) => one.textContent).join("").trim();
  if (!label) say("a field without a label", element);
}
for (const element of $$("a[href], button, summary")) if (isShown(element) && !nameOf(element).trim()) say("a control without a name", element);
for (const picture of $$("svg")) {
  const isTold = picture.getAttribute("role") === "img" && (picture.getAttribute("aria-label") || picture.querySelector("title"));
  if (!isTold && picture.getAttribute("aria-hidden") !== "true") say("a picture neither told nor hidden", picture);
}

for (const use of $$("use")) {
  const drawn = use.getAttribute("href") || "";
  if (!document.getElementById(drawn.slice(1))) say(`nothing is drawn for ${drawn}`, use.closest("a, button, p, td, div"));
}

// Tables
for (const table of $$("table")) {
  if (!table.caption && !table.getAttribute("aria-label")) say("a table without a caption", table);
  for (const head of $$("th", table)) {
    if (!["col", "row"].includes(head.scope)) say("a table head without scope", head);
    if (!head.textContent.trim() && !head.querySelector("[aria-label]")) say("an empty table head", head);
  }
  const heads = $$("thead th", table).length;
  for (const row of $$("tbody tr", table)) if (heads && row.cells.length !== heads) say(`${row.cells.length} cells below ${heads} heads`, row);
}

// Colours: what is really computed, whatever it is written as
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const pen = canvas.getContext("2d", { willReadFrequently: true });
const known = new Map();
const parse = (color) => {
  if (!known.has(color)) {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = "rgba(0,0,0,0)";
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    known.set(color, [r, g, b, a / 255]);
  }
  return known.get(color);
};
const over = ([r, g, b, a], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a), 1];
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const color = parse(getComputedStyle(at).backgroundColor);
    layers.push(color);
    if (color[3] === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), parse(getComputedStyle(document.body).backgroundColor));
};
const faded = (element) => {
  let opacity = 1;
  for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  return opacity;
};
const light = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((one, other) => other - one);
  return (x + 0.05) / (y + 0.05);
};
const against = (color, element) => {
  const below = ground(element);
  const [r, g, b, a] = parse(color);
  return contrast(over([r, g, b, a * faded(element)], below), below);
};
const isOff = (element) => element.closest(".off, [disabled], .again") !== null;
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || seen.has(element) || element.closest("svg, dialog:not([open])")) continue;
  seen.add(element);
  if (!isShown(element) || isUnseen(element) || isOff(element)) continue;
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  const ratio = against(style.color, element);
  if (ratio < wanted - 0.01) say(`text at ${ratio.toFixed(2)}:1`, element);
}
for (const mark of $$("svg.mark")) {
  // A count of nothing is said by its number; the mark beside it only keeps the place.
  if (!isShown(mark) || mark.closest(".zero, .sprite")) continue;
  const ratio = against(getComputedStyle(mark).color, mark);
  if (ratio < 2.99) say(`a mark at ${ratio.toFixed(2)}:1`, mark);
}

// A state is a shape and a word as well as a colour
const shapes = ["ok", "warning", "critical", "unknown", "unreachable", "pending"];
for (const mark of $$("svg.mark")) {
  const state = shapes.find((shape) => mark.classList.contains(shape));
  const shape = mark.querySelector("use")?.getAttribute("href") || "";
  if (!state) say("a mark of no state", mark);
  else if (shape !== `#m-${state}` && shape !== "#m-fence") say(`a mark coloured ${state} has the shape ${shape}`, mark);
}
for (const face of $$(".row .face, .face[role], td .face")) {
  const word = face.querySelector("svg.mark title")?.textContent || "";
  if (!/^(UP|OK|DOWN|WARNING|CRITICAL|UNKNOWN|UNREACHABLE|PENDING)/.test(word)) say(`a mark that says "${word}"`, face.parentElement);
  const row = face.closest("tr, li");
  const seenWord = row && [...row.querySelectorAll("td, span, div")].some((part) => isShown(part) && (/^(UP|OK|DOWN|WARNING|CRITICAL|UNKNOWN|UNREACHABLE|PENDING)/.test(part.textContent.trim()) || part.dataset.word && getComputedStyle(part, "::before").content !== "none"));
  if (row?.matches("tr") && !seenWord) say("a state told by its mark alone", row);
}

// Focus is seen, and what is touched is large enough
const isPhone = matchMedia("(pointer: coarse)").matches;
const before = document.activeElement;
let looked = 0;
for (const element of $$("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")) {
  if (!isShown(element) || isUnseen(element)) continue;
  const box = element.getBoundingClientRect();
  if (isPhone && !element.closest("p, li, td, th, h1, dd") && (box.width < 24 || box.height < 24)) say(`${Math.round(box.width)}×${Math.round(box.height)} px to touch`, element);
  if (looked++ > 150) continue;
  element.focus({ preventScroll: true, focusVisible: true });
  if (document.activeElement !== element) { say("cannot take the focus", element); continue; }
  const style = getComputedStyle(element);
  if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) say("the focus is not seen on", element);
  else if (contrast(parse(style.outlineColor), ground(element.parentElement)) < 2.99) say("the focus is hardly seen on", element);
}
before?.focus?.({ preventScroll: true });
if (document.activeElement !== before) document.activeElement?.blur?.();

// Nothing hangs out of the window, and nothing is cut that could not be read whole
const width = document.documentElement.scrollWidth;
const room = document.documentElement.clientWidth;
if (width > room) {
  const outside = $$("body *").find((element) => isShown(element) && element.getBoundingClientRect().right > room + 1 && !element.closest(".rail, .scroll, .filters, .tabs, pre"));
  say(`the page is ${width} px wide in a window of ${room}`, outside || document.body);
}
for (const element of $$("main *, .bar *")) {
  const style = getComputedStyle(element);
  if (!["hidden", "clip"].includes(style.overflowX) || !isShown(element) || isUnseen(element)) continue;
  if (element.scrollWidth <= element.clientWidth + 1 || element.closest("svg") || element.matches("input")) continue;
  if (!element.title && !element.querySelector("[title]") && !element.querySelector("a")) say("cut, and said nowhere in full", element);
}
return [...new Set(wrong)];
