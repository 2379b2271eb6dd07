// One job in full: its live log, its error, outputs, attempts, and the call as code.

import { button, element, setAttribute, setText, show } from "./elements.js";
import { Log } from "./log.js";
import { drawLoading, drawOutputs, dressOutputs } from "./outputs.js";
import { fillRetry } from "./retry.js";
import { Terminal } from "./terminal.js";
import { clock, duration, isLive, isWaiting, size, titleOf } from "./text.js";
import { reasonWords, stateWords } from "./waiting.js";

const TABS = [["log", "Log"], ["error", "Error"], ["outputs", "Outputs"], ["attempts", "Attempts"], ["call", "Call"]];
const MOMENTS = new Set(["submitted_at", "deadline"]);
const OFTEN = 2000; // milliseconds between two requests for the outputs of a running job

export class Detail {
  constructor({ act, close, asks, told, held, now, heading = true }) {
    Object.assign(this, { act, asks, told, held, now });
    this.id = null;
    this.prefix = `d${Math.random().toString(36).slice(2, 8)}`;
    this.node = this.build(close, heading);
    show(this.node, false);
  }

  build(close, heading) {
    this.title = element("span", { class: "b-title" });
    this.state = element("span", { class: "b-state" });
    this.reason = element("span", { class: "b-words" });
    this.closer = button("Close details", { icon: "close", press: close });
    this.priority = element("input", { type: "number", step: 1, required: true, class: "b-number", "aria-label": "Priority" });
    const act = (verb) => (event) => this.act(verb, [this.id], {}, event.currentTarget);
    this.actions = {
      cancel: button("Cancel this job", { icon: "cancel", text: "Cancel", press: act("cancel") }),
      retry: button("Retry this job", { icon: "retry", text: "Retry", press: act("retry") }),
      remove: button("Remove this job", { icon: "remove", text: "Remove", press: act("remove") }),
    };
    this.setter = element("form", { class: "b-form", onsubmit: (event) => this.setPriority(event) },
      this.priority, element("button", { type: "submit", class: "b-button", title: "Set the priority of this job" }, element("span", {}, "Set priority")));
    this.tabs = TABS.map(([name, title], index) => this.tab(name, title, index));
    this.panes = Object.fromEntries(TABS.map(([name]) => [name, this.pane(name)]));
    this.log = new Log({ asks: this.asks, told: this.told });
    this.panes.log.append(this.log.bar, this.log.node);
    this.panes.outputs.addEventListener("scroll", ({ target }) => this.noteScroll(target));
    this.panes.outputs.addEventListener("load", () => this.followOutputs(), true);
    this.earlier = element("div", {}); // the outputs of an earlier attempt, once requested
    const head = element("div", { class: "b-bar-of" }, this.state, this.title, element("span", { class: "b-ends" }, this.setter, ...Object.values(this.actions), this.closer), this.reason);
    show(head, heading);
    return element("section", { class: "b-detail", "aria-label": "Job", onkeydown: (event) => this.key(event, close) },
      head, element("div", { class: "b-tabs", role: "tablist", "aria-label": "What to show" }, ...this.tabs), ...Object.values(this.panes));
  }

  tab(name, title, index) {
    const node = element("button", {
      type: "button", role: "tab", id: `${this.prefix}-tab-${name}`, "aria-controls": `${this.prefix}-${name}`, class: "b-tab",
      onclick: () => this.choose(name), onkeydown: (event) => this.arrow(event, index),
    }, title);
    node.dataset.tab = name;
    return node;
  }

  pane(name) {
    return element("div", { role: "tabpanel", id: `${this.prefix}-${name}`, "aria-labelledby": `${this.prefix}-tab-${name}`, tabindex: name === "log" ? null : 0, class: `b-pane b-pane-${name}` });
  }

  arrow(event, index) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const shown = this.tabs.filter((tab) => !tab.hidden);
    const next = shown[(shown.indexOf(this.tabs[index]) + step + shown.length) % shown.length];
    this.choose(next.dataset.tab);
    next.focus();
    event.preventDefault();
  }

  key(event, close) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    close();
  }

  // Show another job; its details will arrive.
  open(job) {
    this.id = job.id;
    clearTimeout(this.waits);
    this.waits = this.outputs = null; // a mark that changes with the outputs
    this.drawnOutputs = undefined;
    this.asked = null;
    this.follows = isLive(job); // the outputs of a finished one are read from the beginning
    this.log.open(job.id);
    drawLoading(this.panes.outputs);
    this.panes.attempts.replaceChildren();
    this.earlier.replaceChildren();
    this.panes.call.replaceChildren();
    this.said = null;
    this.fill(job);
    this.choose(job.state === "failed" ? "error" : "log");
    show(this.node, true);
  }

  close() {
    clearTimeout(this.waits);
    this.waits = this.id = this.job = null;
    show(this.node, false);
  }

  choose(name) {
    this.chosen = name;
    for (const tab of this.tabs) {
      const chosen = tab.dataset.tab === name;
      setAttribute(tab, "aria-selected", chosen);
      setAttribute(tab, "tabindex", chosen ? 0 : -1);
      show(this.panes[tab.dataset.tab], chosen);
    }
    if (name === "outputs") this.askOutputs();
    if (name === "log") this.log.terminal.reveal();
  }

  fill(job) {
    this.job = job;
    setText(this.title, `job ${job.id} · ${titleOf(job)}`);
    setAttribute(this.title, "title", job.whole || job.call);
    this.log.fill(job);
    this.fillState();
    setAttribute(this.node, "data-phase", job.state);
    const held = this.node.contains(document.activeElement) ? document.activeElement : null;
    show(this.actions.cancel, isLive(job));
    fillRetry(this.actions.retry, job, "this job");
    show(this.actions.remove, !isLive(job));
    show(this.setter, isWaiting(job));
    if (held && held.closest("[hidden]")) this.closer.focus();
    if (!this.setter.contains(document.activeElement)) this.priority.value = job.priority;
    this.fillError(job.error);
  }

  fillState() {
    setText(this.state, this.asked || stateWords(this.job, this.now()));
    setText(this.reason, reasonWords(this.job, this.held));
  }

  // Show a pending request; null: none.
  ask(words) {
    this.asked = words;
    for (const each of Object.values(this.actions)) each.disabled = Boolean(words);
    if (this.job) this.fill(this.job);
  }

  fillError(error) {
    const tab = this.tabs.find((each) => each.dataset.tab === "error");
    show(tab, Boolean(error));
    if (!error && this.chosen === "error") this.choose("log");
    if (!error) return;
    const trace = this.said && this.said.traceback;
    const text = trace || error;
    if (this.traced === text && this.panes.error.firstChild) return;
    this.traced = text;
    const pre = element("pre", { class: "b-log", tabindex: 0, "aria-label": "Traceback" });
    new Terminal(pre).write(text);
    const changes = ((this.said && this.said.changes) || []).map((change) => element("p", { class: "b-change" }, change));
    this.panes.error.replaceChildren(element("p", { class: "b-error" }, error), ...changes, ...(trace ? [pre] : []));
  }

  take(message) {
    if (message.job !== this.id) return;
    if (message.kind === "detail") this.takeDetail(message);
    else if (message.kind === "log") this.takeLog(message);
    else if (message.kind === "outputs") this.takeOutputs(message);
    else if (message.kind === "lines") this.log.takeLines(message);
    else if (message.kind === "piece") this.log.takePiece(message);
  }

  takeDetail(said) {
    this.said = said;
    this.traced = null;
    this.fillError(this.job.error);
    this.fillAttempts(said.attempts);
    if (this.panes.call.contains(document.activeElement)) return; // the content is the same, and would lose the focus
    const code = element("pre", { class: "b-log", tabindex: 0, "aria-label": "The call as code" }, said.code);
    const copy = button("Copy as code", { icon: "copy", text: "Copy as code", press: () => this.copy(said.code) });
    this.panes.call.replaceChildren(element("div", { class: "b-bar-of" }, copy), code, factsOf(said.facts));
  }

  fillAttempts(attempts) {
    const held = this.panes.attempts.contains(document.activeElement) ? document.activeElement.dataset.attempt : null;
    this.panes.attempts.replaceChildren(attemptsOf(attempts, (number) => this.askEarlier(number)), this.earlier);
    if (held) this.panes.attempts.querySelector(`[data-attempt="${held}"]`)?.focus();
  }

  askEarlier(attempt) {
    drawLoading(this.earlier);
    this.asks("outputs", { job: this.id, attempt });
  }

  takeEarlier({ attempt, outputs }) {
    const pane = element("div", { role: "region", "aria-label": `Attempt ${attempt}` });
    drawOutputs(pane, outputs);
    this.earlier.replaceChildren(element("p", {}, `Attempt ${attempt}:`), pane);
  }

  takeLog(message) {
    this.log.take(message);
    this.outputs = message.outputs;
    if (this.chosen === "outputs") this.askOutputs();
  }

  // Outputs are read as a whole, so not more often than a user can notice.
  askOutputs() {
    if (this.drawnOutputs === this.outputs || this.waits) return;
    this.waits = setTimeout(() => this.askAgain(), OFTEN);
    this.asking = this.outputs;
    this.asks("outputs", { job: this.id });
  }

  askAgain() {
    this.waits = null;
    if (this.id !== null && this.chosen === "outputs") this.askOutputs();
  }

  takeOutputs({ outputs, attempt }) {
    if (attempt) return this.takeEarlier({ outputs, attempt });
    this.drawnOutputs = this.asking;
    const { scrollTop } = this.panes.outputs;
    drawOutputs(this.panes.outputs, outputs);
    this.panes.outputs.scrollTop = scrollTop;
    this.followOutputs();
  }

  // The end of the outputs stays in view if it was, also when a picture has got its height.
  followOutputs() {
    if (this.follows) this.panes.outputs.scrollTop = this.panes.outputs.scrollHeight;
  }

  noteScroll({ scrollHeight, scrollTop, clientHeight }) {
    if (clientHeight) this.follows = scrollHeight - scrollTop - clientHeight < 24; // hidden, it has no height
  }

  tick() {
    if (this.job) this.fillState();
    if (this.id !== null && this.chosen === "outputs") dressOutputs(this.panes.outputs);
    if (this.id !== null && this.chosen === "attempts") dressOutputs(this.earlier);
  }

  setPriority(event) {
    event.preventDefault();
    this.act("priority", [this.id], { to: Number(this.priority.value) });
  }

  async copy(code) {
    try {
      await navigator.clipboard.writeText(code);
      this.told("Copied: run it to submit the job again.");
    } catch {
      getSelection().selectAllChildren(this.panes.call.querySelector("pre")); // not allowed in a page without https
      this.told("Selected: press Ctrl+C to copy.");
    }
  }
}

function attemptsOf(attempts, ask) {
  if (!attempts.length) return element("p", { class: "b-nothing" }, "No attempts yet.");
  const head = ["#", "outcome", "started", "took", "exit", "peak memory", "error", ""];
  const newest = attempts[attempts.length - 1];
  const shows = ({ number }) => button(`Show log and outputs of attempt ${number}`, { text: "Show", press: () => ask(number), "data-attempt": number });
  const rows = attempts.map((each) => [
    each.number, each.outcome || "running", clock(Date.parse(each.started_at) / 1000),
    each.ended_at ? duration((Date.parse(each.ended_at) - Date.parse(each.started_at)) / 1000) : "",
    each.signal === null ? each.exit_code ?? "" : `signal ${each.signal}`, each.peak_memory ? size(each.peak_memory) : "", each.error || "",
    each === newest ? "" : shows(each),
  ]);
  return element("div", { class: "b-scroll", tabindex: 0, role: "region", "aria-label": "Attempts" },
    element("table", {}, element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell instanceof Node ? cell : String(cell))))))));
}

function factsOf(facts) {
  const pairs = Object.entries(facts).flatMap(([name, value]) => [
    element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, MOMENTS.has(name) ? clock(Date.parse(value) / 1000) : String(value)),
  ]);
  return element("dl", {}, ...pairs);
}
