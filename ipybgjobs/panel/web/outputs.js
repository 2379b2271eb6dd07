// A job's outputs, as a notebook shows them. A job's markup is drawn in a frame that runs no script and loads nothing.

import { element } from "./elements.js";
import { markdown } from "./markdown.js";
import { Terminal } from "./terminal.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const HEAD =
  `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">` +
  `<style>body{margin:0;font-size:13px}table{border-collapse:collapse;font-size:12px}` +
  `td,th{padding:3px 8px;text-align:right;border:0}tr:nth-child(even){background:rgba(128,128,128,.12)}</style>`;

export function drawLoading(node) {
  node.replaceChildren(element("p", { class: "b-nothing", role: "status" }, "Loading…"));
}

export function drawOutputs(node, outputs) {
  node.replaceChildren(...outputs.map(drawn));
  if (!outputs.length) node.append(element("p", { class: "b-nothing" }, "Nothing was displayed."));
}

// The theme may have changed, and the content of a frame does not inherit it.
export function dressOutputs(node) {
  node.querySelectorAll("iframe").forEach(dress);
}

function drawn(output) {
  if (output.output_type === "stream") return printed(output.text, output.name === "stderr" ? "b-log b-stderr" : "b-log");
  if (output.output_type === "error") return printed(output.traceback.join("\n"), "b-log");
  return rich(output.data || {});
}

function printed(text, name) {
  const node = element("pre", { class: name });
  new Terminal(node).write(joined(text).replace(/\n$/, ""));
  return node;
}

function rich(data) {
  const picture = PICTURES.find((kind) => kind in data);
  if (picture) return element("img", { alt: joined(data["text/plain"] || "figure"), src: `data:${picture};base64,${joined(data[picture]).replace(/\s/g, "")}` });
  if ("image/svg+xml" in data) {
    return element("img", { alt: joined(data["text/plain"] || "drawing"), src: `data:image/svg+xml,${encodeURIComponent(joined(data["image/svg+xml"]))}` });
  }
  if ("text/html" in data) return framed(joined(data["text/html"]));
  if ("text/markdown" in data) return markdown(joined(data["text/markdown"]));
  return printed(joined( data["text/latex"] || data["text/plain"] || `[${Object.keys(data).join(", ")}]`), "b-log");
}

function joined(text) {
  return Array.isArray(text) ? text.join("") : String(text);
}

// Without `allow-scripts`, nothing in it runs; it has the page's origin only so that its height can be read and its colours set.
function framed(markup) {
  const frame = element("iframe", { sandbox: "allow-same-origin", title: "output", class: "b-frame" });
  frame.addEventListener("load", () => {
    dress(frame);
    const body = frame.contentDocument?.body; // none if a link in it has led elsewhere
    if (body) frame.style.height = `${body.scrollHeight + 4}px`;
  });
  frame.srcdoc = HEAD + markup;
  return frame;
}

// A frame whose colour scheme differs from the page's would be drawn on white instead of transparently.
function dress(frame) {
  const { color, colorScheme, fontFamily } = getComputedStyle(frame);
  const root = frame.contentDocument?.documentElement; // none while it is loading, which ends in `load`
  if (root) Object.assign(root.style, { color, colorScheme, fontFamily });
}
