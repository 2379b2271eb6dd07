// The card of one job: its status, its buttons, and below them, on request, all details.

import { Board } from "./board.js";
import { Confirm } from "./confirm.js";
import { Detail } from "./detail.js";
import { button, element, setAttribute, setText, show } from "./elements.js";
import { Progress } from "./progress.js";
import { fillRetry } from "./retry.js";
import { elapsed, isLive, phase, size, titleOf } from "./text.js";
import { isOverdue, reasonWords, stateWords } from "./waiting.js";

const CELL = "ipybgjobs.Cell."; // its outputs appear below the card, but not in a page that was opened later

export class Card extends Board {
  build() {
    this.title = element("span", { class: "b-title" });
    this.state = element("span", { class: "b-state" });
    this.time = element("span", { class: "b-time" });
    this.reason = element("span", { class: "b-words" });
    this.progress = new Progress("Progress");
    this.cancel = button("Cancel this job", { icon: "cancel", text: "Cancel", press: (event) => this.request("cancel", event.currentTarget) });
    this.retry = button("Retry this job", { icon: "retry", text: "Retry", press: () => this.request("retry") });
    this.more = button("Show log, outputs and attempts", { text: "Log", press: () => this.toggle(), "aria-expanded": "false" });
    this.detail = new Detail({
      act: (verb, ids, options) => this.act(verb, ids, options), close: () => this.toggle(), heading: false, held: this.jobs.held, now: this.now,
      asks: (kind, options) => this.link.send({ kind, ...options }), told: (text) => this.say(text),
    });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.root.classList.add("ipybgjobs", "b-card");
    this.root.append(
      element("div", { class: "b-bar-of" }, element("span", { class: "b-dot", "aria-hidden": "true" }), this.title, element("span", { class: "b-space" }), this.more, this.retry, this.cancel),
      element("div", { class: "b-line" }, this.state, this.time, this.reason, this.progress.bar, this.progress.words), this.detail.node, this.status, this.confirm.node,
    );
  }

  get job() {
    return this.jobs.all.values().next().value;
  }

  around() {}

  take(message) {
    super.take(message);
    if (message.kind === "clock") this.heard ??= message.heard;
    else if (message.view !== undefined && this.job) this.catchUp();
  }

  // Show what a cell's job has displayed since another page was connected, since nothing else would.
  catchUp() {
    const { heard, job } = this;
    this.heard = null;
    if (!heard || !job.whole?.startsWith(CELL) || this.link.opened !== null || (job.ended && job.ended < heard)) return;
    this.open();
    this.detail.choose("outputs");
    setAttribute(this.root, "data-caught-up", "true"); // the outputs that were saved below the card are the beginning of these
  }

  drawJobs() {
    const { job } = this;
    for (const each of [this.more, this.retry, this.cancel]) show(each, Boolean(job));
    if (!job) return this.gone();
    setAttribute(this.root, "data-phase", phase(job));
    const held = document.activeElement;
    setText(this.title, `job ${job.id} · ${titleOf(job)}`);
    setAttribute(this.title, "title", job.whole || job.call);
    show(this.cancel, isLive(job));
    fillRetry(this.retry, job, "this job");
    this.cancel.disabled = this.retry.disabled = Boolean(this.asked);
    this.detail.ask(this.asked);
    if ((held === this.cancel || held === this.retry) && held.hidden) this.more.focus();
    this.progress.fill(this.jobs.progressOf(job), job.error || (job.memory ? `${size(job.memory)} peak` : ""), this.jobs.valuesOf(job));
    this.tick();
  }

  gone() {
    setText(this.title, `job ${this.id} (removed)`);
    for (const each of [this.state, this.time, this.reason]) setText(each, "");
    this.progress.fill(null, "");
    setAttribute(this.root, "data-phase", null);
    if (this.link.opened !== null) this.shut();
  }

  rest() {
    return "";
  }

  tick() {
    this.detail.tick();
    if (!this.job) return;
    setText(this.time, elapsed(this.job, this.now()));
    setText(this.state, this.asked || stateWords(this.job, this.now()));
    setText(this.reason, reasonWords(this.job, this.jobs.held));
    setAttribute(this.root, "data-overdue", isOverdue(this.job, this.now()) ? "true" : null);
  }

  ask(_ids, words) {
    this.asked = words;
    this.drawJobs();
  }

  async request(verb, at) {
    if (verb === "cancel" && this.job.state === "running" && !(await this.confirm.ask("Cancel this job? Unfinished work will be lost.", at))) return;
    await this.act(verb, [this.id]);
  }

  toggle() {
    if (this.link.opened === null && this.job) this.open();
    else this.shut();
    this.more.focus();
  }

  open() {
    this.detail.open(this.job);
    this.look(this.id);
  }

  shut() {
    this.detail.close();
    this.look(null);
  }

  look(opened) {
    this.link.look({ opened });
    setAttribute(this.more, "aria-expanded", opened !== null);
  }
}
