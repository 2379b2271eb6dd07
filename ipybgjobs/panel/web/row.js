// The row of one job in the table.

import { codeOf } from "./call.js";
import { button, element, relabel, setAttribute, setText, show } from "./elements.js";
import { partsOf } from "./groups.js";
import { Progress } from "./progress.js";
import { fillRetry } from "./retry.js";
import { clock, elapsed, isLive, phase, size } from "./text.js";
import { described, isOverdue, stateWords, usually, waits } from "./waiting.js";

const LONG = 28; // characters that the column of progress has room for in most panels
const SHORTEST = 8; // characters of a target that are always shown

export class Row {
  constructor(id, table, columns) {
    Object.assign(this, { id, table });
    this.cells = Object.fromEntries(columns.map((name) => [name, element("div", { role: "gridcell", class: `b-cell b-of-${name}` })]));
    this.node = element("div", {
      role: "row", class: "b-row b-job", id: table.idOf(id), onclick: (event) => this.click(event), ondblclick: () => this.open(),
    }, ...Object.values(this.cells));
    this.cells.check.append(element("span", { class: "b-box", onclick: (event) => this.check(event) }));
    this.cells.state.append((this.dot = element("span", { class: "b-dot", "aria-hidden": "true" })), (this.status = element("span")));
    this.name = element("span", { class: "b-name" });
    this.target = element("span", { class: "b-target" });
    this.given = element("span", { class: "b-given" });
    this.rest = element("span", { class: "b-rest" });
    this.cells.job.append(this.name, this.target, this.given, this.rest);
    this.progress = new Progress(`Progress of job ${id}`);
    this.cells.far.append(this.progress.bar, this.progress.words);
    this.buildActions();
  }

  buildActions() {
    const { id, table } = this;
    const press = (verb) => (event) => table.act(verb, [id], event.currentTarget);
    this.cancel = button("", { icon: "cancel", tabindex: -1, press: press("cancel") });
    this.retry = button("", { icon: "retry", tabindex: -1, press: press("retry") });
    this.cells.actions.append(this.cancel, this.retry, button(`Open job ${id}`, { icon: "open", tabindex: -1, press: () => table.open(id) }));
    relabel(this.cancel, `Cancel job ${id}`);
  }

  click(event) {
    this.table.point(this.id, event);
  }

  // A double-click also selects a word.
  open() {
    getSelection().removeAllRanges();
    this.table.open(this.id);
  }

  check(event) {
    event.stopPropagation();
    this.table.check(this.id, event);
  }

  fill(job) {
    this.job = job;
    const { table } = this;
    const asked = table.busy.get(this.id);
    setText(this.cells.id, String(job.id));
    this.fillJob(job);
    setAttribute(this.node, "data-phase", phase(job));
    setAttribute(this.node, "data-asked", asked ? "true" : null);
    setAttribute(this.node, "aria-selected", table.selection.has(this.id) ? "true" : "false");
    setAttribute(this.node, "data-active", table.active === this.id ? "true" : null);
    setText(this.cells.queue, job.queue);
    setText(this.cells.priority, job.priority ? String(job.priority) : "");
    setText(this.cells.submitted, job.submitted ? clock(job.submitted) : "");
    setText(this.cells.memory, job.memory ? size(job.memory) : "");
    this.fillProgress(job);
    this.fillActions(job);
    this.tick();
  }

  // The name, then the call with what differs within the group or among neighbours, then what all of these have in common.
  fillJob(job) {
    const { groups, all } = this.table.jobs;
    const inside = Boolean(groups.around(job));
    const common = job.group === null ? this.table.neighbours.commonOf(job) : groups.commonIn(job.group, all);
    const { target, given, rest } = codeOf(partsOf(job), common);
    const name = job.name || (inside ? "" : job.group_name) || "";
    const alone = name && isCell(job); // its name says all
    setAttribute(this.node, "aria-level", inside ? 2 : 1);
    setText(this.name, name === target ? "" : name); // a notebook is named after its file
    setText(this.target, alone ? "" : target);
    this.target.style.minWidth = alone || inside ? "" : `${Math.min(target.length, SHORTEST)}ch`; // the row of the group has it too
    setText(this.given, alone ? "" : given);
    setText(this.rest, rest);
    setAttribute(this.cells.job, "title", tooltip(job));
    setAttribute(this.cells.id, "title", job.submitted ? `submitted ${clock(job.submitted)}` : null);
  }

  // The progress while it runs; otherwise what it is waiting for, how long it usually takes, or why it failed.
  fillProgress(job) {
    const otherwise = [waits(job, this.table.jobs.held), usually(job), job.error].filter(Boolean).join(" · ");
    const words = this.progress.fill(this.table.jobs.progressOf(job), otherwise, job.state === "queued" ? "" : this.table.jobs.valuesOf(job));
    setAttribute(this.cells.far, "title", words || null);
    setAttribute(this.node, "data-far", lengthOf(words));
    setAttribute(this.node, "data-unstarted", job.started ? null : "true"); // what it waits for has the room of its time
  }

  fillActions(job) {
    show(this.cancel, isLive(job));
    fillRetry(this.retry, job, `job ${this.id}`);
    this.cancel.disabled = this.retry.disabled = this.table.busy.has(this.id);
  }

  tick() {
    const { job, table } = this;
    const now = table.now();
    setText(this.cells.elapsed, elapsed(job, now));
    setText(this.status, table.busy.get(this.id) || stateWords(job, now));
    setAttribute(this.cells.state, "title", described(job, table.jobs.held, now));
    setAttribute(this.node, "data-overdue", isOverdue(job, now) ? "true" : null);
  }
}

// How much room a text needs beside a job.
export function lengthOf(words) {
  return words ? (words.length > LONG ? "long" : "short") : "none";
}

function isCell(job) {
  return Boolean(job.whole?.startsWith("ipybgjobs.Cell."));
}

// All that the row has no room for.
function tooltip(job) {
  const group = job.group === null ? "" : `group ${job.group}${job.group_name ? ` · ${job.group_name}` : ""}`;
  const from = job.notebook ? `from ${job.notebook}` : "";
  return [job.name, job.whole || job.call, group, [job.submitted ? `submitted ${clock(job.submitted)}` : "", from].filter(Boolean).join(" ")]
    .filter(Boolean).join("\n");
}
