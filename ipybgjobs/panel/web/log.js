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
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (this.matches().length) this.find(event.shiftKey ? 1 : -1);
    else if (this.search.value && this.firstShown > 1) this.seek();
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
    const none = this.firstShown > 1 ? "none here; Enter searches earlier lines" : "none";
    setText(this.found, !this.search.value ? "" : lines.length ? `${place + 1} of ${lines.length.toLocaleString("en")}` : none);
  }

  scrollTo(line) {
    const shift = line.getBoundingClientRect().top - this.node.getBoundingClientRect().top;
    this.node.scrollTop += shift - this.node.clientHeight / 2;
  }

  // Load earlier lines until one has the text.
  seek() {
    this.seeking = MOST_PARTS;
    setText(this.found, "searching…");
    this.askEarlier();
  }

  seekOn() {
    this.seeking -= 1;
    const over = this.matches().length > 0 || this.firstShown === 1 || !this.seeking;
    if (!over) return void setTimeout(() => this.seeking && this.askEarlier(), PAUSE / 4);
    this.seeking = 0;
    this.find(0);
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
