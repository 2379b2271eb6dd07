// Markdown as elements: headings, lists, code, emphasis and links. What it does not know stays text; it makes no markup.

import { element } from "./elements.js";

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((https?:[^)\s]+)\)/;
const BULLET = /^\s*[-*+] +(.*)$/;
const NUMBER = /^\s*\d+[.)] +(.*)$/;

export function markdown(text) {
  const node = element("div", { class: "b-markdown" });
  const lines = text.split("\n");
  while (lines.length) node.append(...block(lines));
  return node;
}

// Take one block from the beginning of the lines.
function block(lines) {
  const line = lines.shift();
  const heading = /^(#{1,6}) +(.*?)#*$/.exec(line);
  if (heading) return [element("p", { class: "b-heading" }, ...inline(heading[2]))];
  if (/^```|^~~~/.test(line)) return [fenced(lines, line.slice(0, 3))];
  if (/^ {0,3}([-*_] *){3,}$/.test(line)) return [element("hr")];
  if (BULLET.test(line)) return [list("ul", BULLET, [line, ...taken(lines, (each) => BULLET.test(each))])];
  if (NUMBER.test(line)) return [list("ol", NUMBER, [line, ...taken(lines, (each) => NUMBER.test(each))])];
  if (line.includes("|") && /^[\s|:-]*-[\s|:-]*$/.test(lines[0] || "x")) return [table(line, taken(lines, (each) => each.includes("|")))];
  if (!line.trim()) return [];
  const rest = taken(lines, (each) => each.trim() && !/^(#{1,6} |```|~~~)/.test(each) && !BULLET.test(each) && !NUMBER.test(each));
  return [element("p", {}, ...inline([line, ...rest].join(" ")))];
}

// Take lines from the beginning as long as they fit.
function taken(lines, fits) {
  const end = lines.findIndex((line) => !fits(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function fenced(lines, fence) {
  const code = taken(lines, (line) => !line.startsWith(fence));
  lines.shift();
  return element("pre", { class: "b-log" }, code.join("\n"));
}

function list(tag, pattern, lines) {
  return element(tag, {}, ...lines.map((line) => element("li", {}, ...inline(pattern.exec(line)[1]))));
}

function table(head, [, ...rows]) {
  const cells = (line, tag) => line.replace(/^\s*\||\|\s*$/g, "").split("|").map((cell) => element(tag, tag === "th" ? { scope: "col" } : {}, ...inline(cell.trim())));
  return element("table", {}, element("tr", {}, ...cells(head, "th")), ...rows.map((row) => element("tr", {}, ...cells(row, "td"))));
}

function inline(text) {
  const found = INLINE.exec(text);
  if (!found) return text ? [text] : [];
  const [whole, code, strong, bold, slanted, words, address] = found;
  const node = address
    ? element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, words)
    : element(code ? "code" : strong || bold ? "strong" : "em", {}, code || strong || bold || slanted);
  return [text.slice(0, found.index), node, ...inline(text.slice(found.index + whole.length))];
}
