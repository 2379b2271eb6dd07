// The panel: all jobs, the actions on them, and one job in full.

import { Board } from "./board.js";
import { Confirm } from "./confirm.js";
import { Detail } from "./detail.js";
import { element, setText, show } from "./elements.js";
import { Table } from "./table.js";
import { count } from "./text.js";
import { Toolbar } from "./toolbar.js";

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
      asks: (id, attempt) => this.link.send({ kind: "outputs", job: id, attempt }), told: (text) => this.say(text),
      held: this.jobs.held, now: this.now,
    });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.root.classList.add("ipybgjobs", "b-panel");
    this.root.append(this.toolbar.node, this.confirm.node, this.table.node, this.detail.node, this.status);
  }

  around({ notice }) {
    if (notice !== undefined) this.toolbar.notice = notice;
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
    setText(this.table.empty, this.jobs.all.size ? "No jobs match the filter." : "No jobs yet. Submit one with: %bgjob module.Class.method key=value");
    if (this.link.whole && this.link.opened !== null && !this.jobs.all.has(this.link.opened)) this.shut();
  }

  fillToolbar() {
    this.toolbar.fill(this.chosen().length, this.table.selected.size);
  }

  refilter() {
    this.jobs.arrange();
    this.draw();
  }

  rest() {
    const many = this.jobs.all.size;
    const list = this.link.transport.other === "server" ? "jupyter bgjobs list" : "%bgjobs list";
    if (many >= this.most && this.count > many) return `The newest ${many.toLocaleString("en")} of ${count(this.count, "job")}; for older ones: ${list}`;
    return this.link.whole ? [count(many, "job"), this.disk].filter(Boolean).join(" · ") : `${count(many, "job")}, loading older ones…`;
  }

  tick() {
    this.detail.tick();
    this.table.tick();
    if (this.jobs.sort.column === "elapsed" && this.jobs.counts.running && ++this.ticks % 5 === 0) this.refilter();
  }

  open(id) {
    this.table.activate(id);
    this.detail.open(this.jobs.all.get(id));
    this.link.look({ opened: id });
    this.detail.closer.focus();
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

  async request(verb, ids, options) {
    const question = this.question(verb, ids);
    if (question && !(await this.confirm.ask(question))) return;
    await this.act(verb, ids, options);
  }

  // Ask only if work would be lost.
  question(verb, ids) {
    const running = ids.filter((id) => this.jobs.all.get(id)?.state === "running");
    if (verb === "cancel" && running.length) return `Cancel ${many(running, "running")}? Unfinished work will be lost.`;
    return verb === "remove" ? `Permanently remove ${many(ids)} with results, outputs and logs?` : null;
  }

  async actOnSelected(verb, options) {
    const ids = this.chosen();
    if (verb === "none") this.clearSelection();
    else await this.request(verb, ids, options);
  }

  // The selected jobs that are visible: a job that the filter hides is not acted on.
  chosen() {
    return [...this.table.selected].filter((id) => this.jobs.all.has(id) && this.jobs.passes(this.jobs.all.get(id)));
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
