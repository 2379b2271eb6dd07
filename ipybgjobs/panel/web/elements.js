// Create and change elements. Text is set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  cancel: "M7 7h10v10H7z",
  retry: "M17.7 6.3A8 8 0 1 0 19.7 14h-2.1a6 6 0 1 1-1.4-6.2L13 11h7V4z",
  remove: "M6 19a2 2 0 0 0 2 2h8a2 2 0 0 0 2-2V7H6zM19 4h-3.5l-1-1h-5l-1 1H5v2h14z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  resume: "M8 5v14l11-7z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z",
  copy: "M16 1H4v14h2V3h10zm3 4H8v18h11zm-2 16h-7V7h7z",
  download: "M19 9h-4V3H9v6H5l7 7zM5 18v2h14v-2z",
  open: "M10 6 8.6 7.4l4.6 4.6-4.6 4.6L10 18l6-6z",
};

// Elements that can have the focus: Jupyter's applications check for shortcuts before a key arrives here, except on marked elements.
const FOCUSABLE = new Set(["button", "input", "select"]);
export const NO_SHORTCUTS = "data-lm-suppress-shortcuts";

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) node.setAttribute(NO_SHORTCUTS, "true");
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function icon(name) {
  const image = document.createElementNS(SVG, "svg");
  image.setAttribute("viewBox", "0 0 24 24");
  image.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  image.append(path);
  return image;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

// A button with an icon, a word, or both; its label is for screen readers.
export function button(label, { icon: image, text, press, ...attributes }) {
  const node = element("button", { type: "button", title: label, "aria-label": label, class: "b-button", ...attributes });
  if (image) node.append(icon(image));
  if (text) node.append(element("span", {}, text));
  node.addEventListener("click", (event) => {
    event.stopPropagation();
    press(event);
  });
  return node;
}

export function relabel(node, label) {
  setAttribute(node, "title", label);
  setAttribute(node, "aria-label", label);
}
