// The log of a job: its end, which grows, earlier lines on request, a search, and all of it to copy or save.

import { button, element, setText, show } from "./elements.js";
import { Terminal } from "./terminal.js";
import { isLive } from "./text.js";

const PAUSE = 300; // milliseconds between two pieces to save: a server drops messages that arrive too fast
const MOST_PARTS = 20; // that one search loads

export class Log {
  // `asks(kind, options)` sends a request about the job; `told(text)` shows a message.
  constructor({ asks, told }) {
    Object.assign(this, { asks, told });
    this.node = element("pre", { class: "b-log", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Log" });
    this.before = element("div"); // the earlier lines
    this.end = element("div");
    this.node.append(this.before, this.end);
    this.terminal = new Terminal(this.end, this.node);
    this.bar = this.build();
  }

  build() {
    this.range = element("span", { class: "b-range" });
    this.earlier = button("Show earlier lines", { text: "Earlier lines", press: () => this.askEarlier() });
    this.search = element("input", {
      type: "search", class: "b-search", placeholder: "Search", "aria-label": "Search the log",
      oninput: () => this.find(0), onkeydown: (event) => this.key(event),
    });
    this.found = element("span", { class: "b-range", role: "status" });
    return element("div", { class: "b-bar-of b-log-bar" }, this.range, this.earlier, element("span", { class: "b-space" }), this.found, this.search,
      button("Copy the lines that are shown", { icon: "copy", text: "Copy", press: () => this.copy() }),
      button("Download the whole log", { icon: "download", text: "Download", press: () => this.download() }));
  }

  open(id) {
    this.id = id;
    this.saving = null;
    this.clear(1);
    this.search.value = "";
    this.count();
  }

  clear(first) {
    this.first = first; // number of the first line of the end
    this.top = null; // number of the first of the earlier lines
    this.asking = false;
    this.seeking = 0;
    this.before.replaceChildren();
    this.terminal.clear();
  }

  // What the log says where there is none.
  fill(job) {
    this.node.dataset.empty = isLive(job) ? "No output so far." : "No output.";
  }

  take({ text, from_start, first_line }) {
    if (from_start) this.clear(first_line);
    const [top] = this.terminal.lines;
    this.terminal.write(text);
    if (this.top !== null && top !== this.terminal.lines[0]) this.forgetEarlier(); // lines between are gone
    this.count();
    if (this.search.value) this.find(0, false);
  }

  forgetEarlier() {
    this.top = null;
    this.before.replaceChildren();
  }

  // Number of the first line that is shown.
  get firstShown() {
    return this.top ?? this.first + (this.terminal.lines[0]?.breaks || 0);
  }

  // Say which lines are shown.
  count() {
    const { lines, breaks } = this.terminal;
    const last = this.first + breaks - (lines.length && !lines.at(-1).characters.length ? 1 : 0);
    const written = (number) => number.toLocaleString("en");
    const part = this.firstShown > 1;
    setText(this.range, !lines.length ? "" : part ? `Lines ${written(this.firstShown)} to ${written(last)} of ${written(last)}` : last === 1 ? "1 line" : `${written(last)} lines`);
    show(this.earlier, part);
    this.earlier.disabled = this.asking;
    this.node.classList.toggle("b-none", !lines.length);
  }

  askEarlier() {
    this.asking = true;
    this.count();
    this.asks("lines", { job: this.id, before: this.firstShown });
  }

  takeLines({ text, before, first_line }) {
    if (before !== this.firstShown) return;
    this.asking = false;
    const part = element("div");
    const { scrollHeight, scrollTop } = this.node;
    this.before.prepend(part);
    new Terminal(part, part).write(text.replace(/\n$/, ""));
    this.top = first_line;
    this.node.scrollTop = scrollTop + this.node.scrollHeight - scrollHeight; // what was read stays where it was
    this.count();
    if (this.seeking) this.seekOn();
  }

  key(event) {
    if (event.key !== "Enter" || this.seeking) return;
    event.preventDefault();
    const lines = this.matches();
    const goesOn = this.search.value && this.firstShown > 1 && !event.shiftKey && lines.indexOf(this.current) <= 0;
    if (goesOn) this.seek(lines.length);
    else if (lines.length) this.find(event.shiftKey ? 1 : -1);
  }

  matches() {
    const text = this.search.value.toLowerCase();
    return text ? [...this.node.querySelectorAll("div:not(:has(div))")].filter((line) => line.textContent.toLowerCase().includes(text)) : [];
  }

  // Mark the lines with the text, and show the last one, or the one `step` lines after the one at hand.
  find(step, moves = true) {
    const lines = this.matches();
    for (const line of this.node.querySelectorAll(".b-match")) line.classList.remove("b-match", "b-current");
    for (const line of lines) line.classList.add("b-match");
    const before = lines.indexOf(this.current);
    const place = before < 0 || (!step && moves) ? lines.length - 1 : (before + step + lines.length) % lines.length;
    this.current = lines[place];
    this.current?.classList.add("b-current");
    if (moves && this.current) this.scrollTo(this.current);
    setText(this.found, this.search.value ? this.foundWords(place + 1, lines.length) : "");
  }

  // Which match is marked; of a log that is shown in part, what Enter does next.
  foundWords(number, many) {
    const words = many ? `${number.toLocaleString("en")} of ${many.toLocaleString("en")}` : "none";
    if (this.firstShown === 1) return words;
    if (number > 1 && many) return `${words} in the lines shown`;
    return `${words}${many ? "" : " here"}; Enter searches earlier lines`;
  }

  scrollTo(line) {
    const shift = line.getBoundingClientRect().top - this.node.getBoundingClientRect().top;
    this.node.scrollTop += shift - this.node.clientHeight / 2;
  }

  // Load earlier lines until one more has the text than the `known` ones.
  seek(known) {
    Object.assign(this, { seeking: MOST_PARTS, known });
    setText(this.found, "searching…");
    this.askEarlier();
  }

  seekOn() {
    this.seeking -= 1;
    const found = this.matches().length > this.known;
    if (!found && this.firstShown > 1 && this.seeking) return void setTimeout(() => this.seeking && this.askEarlier(), PAUSE / 4);
    this.seeking = 0;
    this.find(this.known ? -Number(found) : 0, found || !this.known);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.node.innerText);
      this.told(`Copied: ${this.range.textContent.toLowerCase()}.`);
    } catch {
      getSelection().selectAllChildren(this.node); // not allowed in a page without https
      this.told("Selected: press Ctrl+C to copy.");
    }
  }

  download() {
    this.saving = { job: this.id, pieces: [] };
    this.asks("piece", { job: this.id, from: 0 });
  }

  takePiece({ job, text, next, size }) {
    const { saving } = this;
    if (saving?.job !== job) return;
    saving.pieces.push(text);
    if (next === null) return this.save(saving);
    this.told(`Downloading the log: ${Math.round((100 * next) / size)} %`);
    setTimeout(() => this.saving === saving && this.asks("piece", { job, from: next }), PAUSE);
  }

  save({ job, pieces }) {
    this.saving = null;
    const address = URL.createObjectURL(new Blob(pieces, { type: "text/plain" }));
    element("a", { href: address, download: `job-${job}.log` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    this.told(`Downloaded job-${job}.log.`);
  }
}
