// The panel, and the card of one job: what is known, what is asked, what is said.

import { button, element, setAttribute, setText, show } from "./elements.js";
import { Detail } from "./detail.js";
import { Jobs } from "./jobs.js";
import { Link } from "./link.js";
import { Table } from "./table.js";
import { Toolbar } from "./toolbar.js";
import { clock, count, elapsed, far, phase, size, statusAndDue } from "./text.js";

const DOING = { cancel: "cancelling…", retry: "retrying…", remove: "removing…", priority: "changing…" };

class Board {
  constructor(root, transport, first) {
    this.root = root;
    this.id = first.only; // of a card
    this.saidOk = true;
    this.offset = 0; // seconds that the other side's clock is ahead
    this.now = () => Date.now() / 1000 + this.offset;
    this.jobs = new Jobs(this.now);
    this.changed = new Set();
    this.status = element("div", { class: "b-status", role: "status" });
    this.link = new Link(transport, (message) => this.take(message));
    this.build();
    this.take(first);
    Object.assign(this.link, { seq: first.seq, whole: Boolean(first.whole), oldest: first.oldest });
    this.watch();
  }

  // Work only while it is seen.
  watch() {
    this.watcher = new IntersectionObserver((seen) => this.see(seen.at(-1).isIntersecting));
    this.watcher.observe(this.root);
    this.onVisibility = () => this.see(this.intersects);
    document.addEventListener("visibilitychange", this.onVisibility);
    this.timer = setInterval(() => this.link.visible && this.tick(), 1000);
    this.onKey = (event) => this.keep(event);
    this.root.addEventListener("keydown", this.onKey);
  }

  see(intersects) {
    this.intersects = intersects;
    const visible = intersects && document.visibilityState === "visible";
    if (visible !== this.link.visible) this.link.look({ visible });
    if (visible) this.draw();
  }

  // A key pressed here is no shortcut of the notebook's: `d d` would delete the cell. Escape leaves, Ctrl+S saves.
  keep(event) {
    if (event.key !== "Escape" && !((event.ctrlKey || event.metaKey) && event.key === "s")) event.stopPropagation();
  }

  take(message) {
    if (message.now) Object.assign(this, { offset: message.now - Date.now() / 1000, at: message.now });
    if (message.kind === "link") this.say();
    else if (message.kind === "trouble") this.say(message.text, false);
    else if (["detail", "log", "outputs"].includes(message.kind)) this.detail.take(message);
    else if (["rows", "older", "delta"].includes(message.kind)) this.takeJobs(message);
  }

  takeJobs(message) {
    if (message.kind === "rows" && this.jobs.all.size) this.jobs.clear();
    const ids = this.jobs.take(message.rows || []);
    this.jobs.far(message.progress || []);
    this.jobs.drop(message.gone || []);
    this.jobs.trim(this.most || Infinity);
    for (const key of ["count", "most", "folder"]) if (message[key] !== undefined) this[key] = message[key];
    if (message.trouble !== undefined) this.trouble = message.trouble;
    else if (message.kind === "rows") this.trouble = null;
    this.around(message);
    for (const id of ids) this.changed.add(id);
    for (const [id] of message.progress || []) this.changed.add(id);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const changed = [...this.changed];
    this.changed.clear();
    this.drawJobs(changed);
    const opened = this.jobs.all.get(this.link.opened);
    if (opened) this.detail.fill(opened);
    this.say();
  }

  // Do something with jobs: a click shows at once that it was heard; then what came of it.
  async act(verb, ids, options = {}) {
    this.ask(ids, DOING[verb]);
    this.say(`${DOING[verb]} ${count(ids.length, "job")}`);
    const { ok, text } = await this.link.command(verb, { jobs: ids, ...options });
    this.ask(ids, null);
    this.say(text, ok);
  }

  say(text, ok = true) {
    if (text !== undefined) Object.assign(this, { said: text, saidOk: ok });
    const waits = this.link.state === "waiting";
    const words = waits ? this.waiting() : this.trouble || this.said || this.rest();
    setText(this.status, words);
    setAttribute(this.status, "data-kind", waits ? "waiting" : this.trouble || !this.saidOk ? "bad" : null);
    setAttribute(this.root, "data-link", this.link.state);
  }

  waiting() {
    return `Waiting for the ${this.link.transport.other}, which is busy or gone. As of ${clock(this.at)}. In a terminal: jupyter bgjobs cancel JOB`;
  }

  close() {
    this.link.close();
    this.watcher.disconnect();
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.root.removeEventListener("keydown", this.onKey);
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    this.root.replaceChildren();
  }
}

// A first press asks once more where work would be lost; leaving takes it back.
class Confirm {
  constructor(node) {
    this.node = node;
    this.text = element("span");
    this.yes = button("Yes", { text: "Yes", press: () => this.end(true), class: "b-button b-danger" });
    this.no = button("No", { text: "No", press: () => this.end(false) });
    node.append(this.text, this.yes, this.no);
    node.addEventListener("focusout", (event) => !node.contains(event.relatedTarget) && this.end(false, !event.relatedTarget));
    node.addEventListener("keydown", (event) => event.key === "Escape" && (event.stopPropagation(), this.end(false)));
    show(node, false);
  }

  ask(question, answer) {
    this.end(false);
    this.back = document.activeElement;
    setText(this.text, question);
    this.yes.setAttribute("aria-label", `Yes: ${question}`);
    this.no.setAttribute("aria-label", `No: ${question}`);
    show(this.node, true);
    this.yes.focus();
    return new Promise((done) => (this.done = done));
  }

  end(answer, back = true) {
    const { done } = this;
    if (!done) return;
    this.done = null;
    show(this.node, false);
    if (back && this.back && this.back.isConnected && !this.back.hidden) this.back.focus();
    done(answer);
  }
}

export class Panel extends Board {
  ticks = 0;

  build() {
    this.table = new Table(this.jobs, {
      act: (verb, ids) => this.request(verb, ids), open: (id) => this.open(id), selects: () => this.fillToolbar(), now: this.now,
    });
    this.toolbar = new Toolbar(this.jobs, {
      act: (verb, options) => this.actOnSelected(verb, options), filters: () => this.refilter(), queueAct: (verb, queue) => this.queue(verb, queue),
    });
    this.detail = new Detail({
      act: (verb, ids, options) => this.request(verb, ids, options), close: () => this.shut(),
      asks: (id) => this.link.send({ kind: "outputs", job: id }), told: (text) => this.say(text),
    });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.root.classList.add("ipybgjobs", "b-panel");
    this.root.append(this.toolbar.node, this.confirm.node, this.table.node, this.detail.node, this.status);
  }

  around({ paused, notice }) {
    if (paused !== undefined) this.toolbar.paused = paused;
    if (notice !== undefined) this.toolbar.notice = notice;
  }

  drawJobs(changed) {
    if (this.link.whole) this.table.forget(); // while rows come in pieces, one that is missing may come
    if (this.drawn === this.jobs.version) this.table.refresh(changed);
    else this.table.draw();
    this.drawn = this.jobs.version;
    this.fillToolbar();
    show(this.table.empty, !this.jobs.order.length);
    setText(this.table.empty, this.jobs.all.size ? "No job passes the filter." : "No jobs yet. Submit one with: %bgjob module.Class.method key=value");
    if (this.link.whole && this.link.opened !== null && !this.jobs.all.has(this.link.opened)) this.shut();
  }

  fillToolbar() {
    this.toolbar.fill(this.table.selected.size);
  }

  refilter() {
    this.jobs.arrange();
    this.draw();
  }

  rest() {
    const many = this.jobs.all.size;
    if (many >= this.most && this.count > many) return `The newest ${many.toLocaleString("en")} of ${count(this.count, "job")}; for older ones: jupyter bgjobs list`;
    return this.link.whole ? count(many, "job") : `${count(many, "job")}, older ones come…`;
  }

  tick() {
    this.table.tick();
    if (this.jobs.sort.column === "elapsed" && this.jobs.counts.running && ++this.ticks % 5 === 0) this.refilter();
  }

  open(id) {
    this.table.activate(id);
    this.detail.open(this.jobs.all.get(id));
    this.link.look({ opened: id });
    this.detail.closer.focus();
  }

  shut() {
    const had = this.detail.node.contains(document.activeElement);
    this.detail.close();
    this.link.look({ opened: null });
    if (had) this.table.grid.focus();
  }

  ask(ids, words) {
    for (const id of ids) words ? this.table.busy.set(id, words) : this.table.busy.delete(id);
    this.table.refresh(ids.filter((id) => this.jobs.all.has(id)));
    if (ids.includes(this.detail.id)) this.detail.ask(words);
  }

  async request(verb, ids, options) {
    const question = this.question(verb, ids);
    if (question && !(await this.confirm.ask(question))) return;
    await this.act(verb, ids, options);
  }

  // Asked only where work would be lost.
  question(verb, ids) {
    const running = ids.filter((id) => this.jobs.all.get(id)?.state === "running");
    if (verb === "cancel" && running.length) return `Cancel ${many(running, "running")}? What it has done so far is not finished.`;
    return verb === "remove" ? `Remove ${many(ids)} with results, outputs and logs, for good?` : null;
  }

  async actOnSelected(verb, options) {
    const ids = [...this.table.selected];
    if (verb === "none") this.clearSelection();
    else await this.request(verb, ids, options);
  }

  clearSelection() {
    const before = [...this.table.selected];
    this.table.selected.clear();
    this.table.refresh(before.filter((id) => this.jobs.all.has(id)));
    this.fillToolbar();
    this.table.grid.focus();
  }

  async queue(verb, queue) {
    this.say(`${verb === "pause" ? "pausing" : "resuming"} ${queue || "all queues"}…`);
    const { ok, text } = await this.link.command(verb, { queue: queue || null });
    this.say(text, ok);
  }
}

function many(ids, kind = "") {
  const what = kind ? `${kind} ` : "";
  return ids.length === 1 ? `${what}job ${ids[0]}` : `${ids.length.toLocaleString("en")} ${what}jobs`;
}

export class Card extends Board {
  build() {
    this.title = element("span", { class: "b-title" });
    this.state = element("span", { class: "b-state" });
    this.time = element("span", { class: "b-time" });
    this.bar = element("span", { class: "b-bar", role: "progressbar", "aria-label": "Progress" }, element("span"));
    this.words = element("span", { class: "b-words" });
    this.cancel = button("Cancel this job", { icon: "cancel", text: "Cancel", press: () => this.request("cancel") });
    this.retry = button("Retry this job", { icon: "retry", text: "Retry", press: () => this.request("retry") });
    this.more = button("Show log, outputs and attempts", { text: "Log", press: () => this.toggle(), "aria-expanded": "false" });
    this.detail = new Detail({
      act: (verb, ids, options) => this.act(verb, ids, options), close: () => this.toggle(), heading: false,
      asks: (id) => this.link.send({ kind: "outputs", job: id }), told: (text) => this.say(text),
    });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.root.classList.add("ipybgjobs", "b-card");
    this.root.append(
      element("div", { class: "b-bar-of" }, element("span", { class: "b-dot", "aria-hidden": "true" }), this.title, element("span", { class: "b-space" }), this.more, this.retry, this.cancel),
      element("div", { class: "b-line" }, this.state, this.time, this.bar, this.words), this.confirm.node, this.detail.node, this.status,
    );
  }

  get job() {
    return this.jobs.all.values().next().value;
  }

  around() {}

  drawJobs() {
    const { job } = this;
    for (const each of [this.more, this.retry, this.cancel]) show(each, Boolean(job));
    if (!job) return this.gone();
    const live = job.state === "running" || job.state === "queued";
    setAttribute(this.root, "data-phase", phase(job));
    const held = document.activeElement;
    setText(this.title, `job ${job.id} · ${job.name ? `${job.name} · ` : ""}${job.call}`);
    setText(this.state, this.asked || statusAndDue(job));
    show(this.cancel, live);
    show(this.retry, job.state === "failed" || job.state === "cancelled");
    this.cancel.disabled = this.retry.disabled = Boolean(this.asked);
    this.detail.ask(this.asked);
    if ((held === this.cancel || held === this.retry) && held.hidden) this.more.focus();
    this.fillFar(job);
    this.tick();
  }

  fillFar(job) {
    const progress = job.state === "running" ? this.jobs.progress.get(job.id) : null;
    const knows = Boolean(progress) && progress.share !== null;
    show(this.bar, knows);
    if (knows) {
      this.bar.firstChild.style.width = `${progress.share * 100}%`;
      setAttribute(this.bar, "aria-valuenow", Math.round(progress.share * 100));
    }
    const memory = job.memory ? `${size(job.memory)} peak` : "";
    setText(this.words, progress ? [far(progress), progress.message].filter(Boolean).join(" · ") : job.error || memory);
  }

  gone() {
    setText(this.title, `job ${this.id}, which was removed`);
    for (const each of [this.state, this.time, this.words]) setText(each, "");
    setAttribute(this.root, "data-phase", null);
    show(this.bar, false);
    if (this.link.opened === null) return;
    this.detail.close();
    this.link.look({ opened: null });
  }

  rest() {
    return "";
  }

  tick() {
    if (this.job) setText(this.time, elapsed(this.job, this.now()));
  }

  ask(_ids, words) {
    this.asked = words;
    this.drawJobs();
  }

  async request(verb) {
    if (verb === "cancel" && this.job.state === "running" && !(await this.confirm.ask("Cancel it? What it has done so far is not finished."))) return;
    await this.act(verb, [this.id]);
  }

  toggle() {
    const open = this.link.opened === null && Boolean(this.job);
    if (open) this.detail.open(this.job);
    else this.detail.close();
    this.link.look({ opened: open ? this.id : null });
    setAttribute(this.more, "aria-expanded", open);
    this.more.focus();
  }
}

// Draw a panel, or the card of the one job that is shown, into an element.
export function mount(root, transport, first) {
  return first.only === undefined ? new Panel(root, transport, first) : new Card(root, transport, first);
}
