// A call as code, taken apart for a row: its module is left out, and what differs within a group comes first.

import { withoutMain } from "./text.js";

const OPENS = "([{";
const CLOSES = ")]}";
const QUOTES = "'\"`";

// The pieces of a call: each a name, and what stands in brackets behind it (null: nothing does).
export function piecesOf(job) {
  const pieces = [];
  for (let at = 0; at < job.call.length; ) {
    const open = job.whole && !job.name ? -1 : job.call.indexOf("(", at);
    const { given, end } = open < 0 ? { given: null, end: job.call.length } : argumentsAt(job.call, open + 1);
    pieces.push({ name: job.call.slice(at, open < 0 ? end : open), given });
    at = end + 1;
  }
  if (!job.whole && pieces.length) pieces[0].name = shortened(pieces[0].name, pieces.length > 1 && pieces[1].name ? 1 : 2);
  return pieces;
}

// The last names of a dotted path: `Exp.slow` of `sweep.Exp.slow`.
function shortened(path, many) {
  return withoutMain(path).split(".").slice(-many).join(".");
}

// What stands between brackets, split at its commas, and where the bracket closes; the text may have been cut anywhere.
function argumentsAt(text, begin) {
  const given = [];
  let [depth, quote, start, at] = [0, "", begin, begin];
  for (; at < text.length; at++) {
    const character = text[at];
    if (quote) {
      if (character === "\\") at++;
      else if (character === quote) quote = "";
    } else if (QUOTES.includes(character)) quote = character;
    else if (OPENS.includes(character)) depth++;
    else if (CLOSES.includes(character) && depth-- === 0) break;
    else if (character === "," && depth === 0) {
      given.push(text.slice(start, at));
      start = at + 2;
    }
  }
  if (at > start) given.push(text.slice(start, at));
  return { given, end: at };
}

// What all calls have in common, each as its place and text.
export function commonOf([first = [], ...others]) {
  let common = new Map();
  first.forEach(({ given }, place) => (given || []).forEach((text) => common.set(`${place} ${text}`, [place, text])));
  for (const pieces of others) common = narrowed(common, pieces);
  return common;
}

// What of it one more call has, too.
export function narrowed(common, pieces) {
  const has = ([place, text]) => pieces[place]?.given?.includes(text);
  for (const each of common.values()) if (!has(each)) return new Map([...common].filter(([, kept]) => has(kept)));
  return common;
}

// A call as three texts: its target and what differs, together code, and the rest, which all calls of the group have in common.
export function codeOf(pieces, common = new Map()) {
  const rest = [];
  const code = pieces.map(({ name, given }, place) => {
    if (given === null) return name;
    const own = given.filter((text) => !common.has(`${place} ${text}`));
    rest.push(...given.filter((text) => common.has(`${place} ${text}`)));
    return own.length || place === pieces.length - 1 ? `${name}(${own.join(", ")})` : name;
  });
  const [, target, given] = /^([^(]*)(.*)$/s.exec(code.join(""));
  return { target, given, rest: rest.join(", ") };
}
