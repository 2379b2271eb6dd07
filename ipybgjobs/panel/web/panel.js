// The panel: all jobs, the actions on them, and one job in full.

import { Board } from "./board.js";
import { Confirm, fitting, questionFor } from "./confirm.js";
import { Detail } from "./detail.js";
import { element, icon, setText, show } from "./elements.js";
import { Table } from "./table.js";
import { count } from "./text.js";
import { Toolbar } from "./toolbar.js";
import { pausedWords } from "./waiting.js";

export class Panel extends Board {
  ticks = 0;

  build() {
    this.table = new Table(this.jobs, {
      act: (verb, ids, at) => this.request(verb, ids, {}, at), open: (id) => this.open(id), selects: () => this.fillToolbar(), now: this.now,
    });
    this.toolbar = new Toolbar(this.jobs, {
      act: (verb, options, at) => this.actOnSelected(verb, options, at), filters: () => this.refilter(), queueAct: (verb, queue) => this.queue(verb, queue),
    });
    this.table.node.prepend(this.toolbar.chosen);
    this.detail = new Detail({
      act: (verb, ids, options, at) => this.request(verb, ids, options, at), close: () => this.shut(),
      asks: (kind, options) => this.link.send({ kind, ...options }), told: (text) => this.say(text),
      held: this.jobs.held, now: this.now,
    });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.root.classList.add("ipybgjobs", "b-panel");
    this.notes = element("span");
    this.held = element("p", { class: "b-held" }, icon("pause"), this.notes);
    this.root.append(this.toolbar.node, this.table.node, this.held, this.detail.node, this.status, this.confirm.node);
  }

  around({ notice }) {
    if (notice !== undefined) this.notice = notice;
    const notes = [pausedWords(this.jobs.held.paused), this.notice].filter(Boolean);
    setText(this.notes, notes.join(" "));
    show(this.held, notes.length > 0);
  }

  take(message) {
    super.take(message);
    if (message.kind === "disk") this.disk = message.text;
    if (message.kind === "disk") this.say();
  }

  drawJobs(changed) {
    if (this.link.whole) this.table.forget(); // while rows arrive in parts, a missing one may still arrive
    if (this.drawn === this.jobs.version) this.table.refresh(changed);
    else this.table.draw();
    this.drawn = this.jobs.version;
    this.fillToolbar();
    show(this.table.empty, !this.jobs.order.length);
    setText(this.table.empty, this.emptyWords());
    if (this.link.whole && this.link.opened !== null && !this.jobs.all.has(this.link.opened)) this.shut();
  }

  emptyWords() {
    if (this.jobs.filter.fault) return this.jobs.filter.fault;
    return this.jobs.all.size ? "No jobs match the filter." : "No jobs yet. Submit one with: %bgjob module.Class.method key=value";
  }

  rearrange() {
    this.jobs.arrange();
    this.draw();
  }

  fillToolbar() {
    const { selection } = this.table;
    const chosen = selection.size ? selection.chosen : [];
    const unseen = chosen.filter((id) => !this.jobs.passes(this.jobs.all.get(id))).length;
    this.toolbar.fill({ chosen: chosen.length, unseen, hidden: selection.hidden.size });
  }

  refilter() {
    this.jobs.arrange();
    this.table.selection.hide();
    this.draw();
  }

  rest() {
    const many = this.jobs.all.size;
    const list = this.link.transport.other === "server" ? "jupyter bgjobs list" : "%bgjobs list";
    if (many >= this.most && this.count > many) return `The newest ${many.toLocaleString("en")} of ${count(this.count, "job")}; for older ones: ${list}`;
    const shown = this.jobs.order.length;
    const words = this.jobs.filter.any ? `${shown.toLocaleString("en")} of ${count(many, "job")}` : count(many, "job");
    return this.link.whole ? [words, this.disk].filter(Boolean).join(" · ") : `${shown.toLocaleString("en")} of ${count(this.count, "job")}, loading older ones…`;
  }

  tick() {
    this.detail.tick();
    this.table.tick();
    if (this.jobs.sort.column === "elapsed" && this.jobs.totals.running && ++this.ticks % 5 === 0) this.rearrange();
  }

  open(id) {
    this.table.activate(id);
    this.detail.open(this.jobs.all.get(id));
    this.link.look({ opened: id });
    this.detail.closer.focus({ preventScroll: true });
    this.detail.node.scrollIntoView({ block: "nearest" });
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

  async request(verb, ids, options, at) {
    if (!ids.length) return;
    const question = questionFor(verb, ids, this.jobs.all);
    const asked = question ? fitting(verb, ids, this.jobs.all) : ids; // those that finish meanwhile were not asked about
    if (question && !(await this.confirm.ask(question, at))) return;
    await this.act(verb, asked, options);
  }

  async actOnSelected(verb, options, at) {
    const { selection, grid } = this.table;
    if (verb !== "none") return this.request(verb, selection.chosen, options, at);
    selection.clear();
    grid.focus({ preventScroll: true });
  }

  async queue(verb, queue) {
    this.say(`${verb === "pause" ? "pausing" : "resuming"} ${queue || "all queues"}…`);
    const { ok, text } = await this.link.command(verb, { queue: queue || null });
    this.say(text, ok);
  }
}
