// The table: rows are drawn as needed, the header sorts, arrow keys move, Space selects, Enter opens.

import { button, element, relabel, setAttribute, setText, show } from "./elements.js";
import { Progress } from "./progress.js";
import { fillRetry } from "./retry.js";
import { elapsed, isLive, phase, size } from "./text.js";
import { described, isOverdue, stateWords, usually, waits } from "./waiting.js";

const ROW = 28; // pixels
const MORE = 6; // rows drawn beyond the visible ones

const HEADS = [
  ["check", ""], ["id", "ID"], ["job", "Job"], ["state", "State"], ["far", "Progress"], ["elapsed", "Elapsed"],
  ["queue", "Queue"], ["priority", "Priority"], ["memory", "Peak memory"], ["actions", ""],
];
const SORTED = new Set(["id", "job", "state", "elapsed", "queue", "priority", "memory"]);

export class Table {
  // `act(verb, ids)` acts on jobs, `open(id)` shows one, `selects()` is called when the selection changes.
  constructor(jobs, { act, open, selects, now }) {
    Object.assign(this, { jobs, act, open, selects, now });
    this.rows = new Map(); // the drawn ones, by id
    this.selected = new Set();
    this.active = null;
    this.busy = new Map(); // pending requests, by job id
    this.prefix = `b${Math.random().toString(36).slice(2, 8)}`;
    this.node = this.build();
  }

  build() {
    this.body = element("div", { role: "rowgroup", class: "b-body" });
    this.heads = HEADS.map(([name, title]) => this.head(name, title));
    const header = element("div", { role: "row", class: "b-row b-header", "aria-rowindex": 1 }, ...this.heads);
    this.empty = element("div", { class: "b-empty", role: "presentation" });
    const grid = element("div", {
      role: "grid", class: "b-grid", tabindex: 0, "aria-label": "Background jobs", "aria-multiselectable": "true",
      "aria-colcount": HEADS.length, onkeydown: (event) => this.key(event), onscroll: () => this.draw(),
    }, element("div", { role: "rowgroup", class: "b-head" }, header), this.body);
    this.grid = grid;
    return element("div", { class: "b-table" }, grid, this.empty);
  }

  head(name, title) {
    const cell = element("div", { role: "columnheader", class: `b-cell b-of-${name}` });
    if (SORTED.has(name)) cell.append(button(`Sort by ${title.toLowerCase()}`, { text: title, press: () => this.sortBy(name), class: "b-sort" }));
    else if (name === "check") cell.append(button("Select all", { class: "b-box", press: () => this.selectAll() }));
    else cell.append(element("span", { class: title ? "" : "b-hidden" }, title || "Actions"));
    cell.dataset.column = name;
    return cell;
  }

  sortBy(column) {
    const { sort } = this.jobs;
    this.anchored = null;
    this.jobs.sort = { column, descending: sort.column === column ? !sort.descending : column !== "job" && column !== "queue" };
    this.jobs.arrange();
    this.draw();
  }

  // Draw the visible rows.
  draw() {
    const { order } = this.jobs;
    this.body.style.height = `${order.length * ROW}px`;
    this.anchor();
    const begin = Math.max(0, Math.floor(this.grid.scrollTop / ROW) - MORE);
    const end = Math.min(order.length, begin + Math.ceil((this.grid.clientHeight || 400) / ROW) + 2 * MORE);
    setAttribute(this.grid, "aria-rowcount", order.length + 1);
    const seen = new Set(order.slice(begin, end));
    for (const [id, row] of this.rows) if (!seen.has(id)) this.undraw(id, row);
    let next = this.body.firstChild; // a screen reader reads them in document order
    for (let place = begin; place < end; place++) {
      const { node } = this.drawRow(order[place], place);
      if (node === next) next = next.nextSibling;
      else if (!node.contains(document.activeElement)) this.body.insertBefore(node, next);
    }
    this.drawHeads();
  }

  // Forget jobs that no longer exist.
  forget() {
    for (const id of this.selected) if (!this.jobs.all.has(id)) this.selected.delete(id);
    if (this.active !== null && !this.jobs.all.has(this.active)) this.active = null;
  }

  // Keep the visible rows under the pointer when jobs are added above them.
  anchor() {
    const { scrollTop } = this.grid;
    const from = this.anchored;
    if (from && from.version !== this.jobs.version && scrollTop > ROW) {
      const place = this.jobs.order.indexOf(from.id);
      if (place >= 0 && place !== from.place) this.grid.scrollTop = scrollTop + (place - from.place) * ROW;
    }
    const place = Math.floor(this.grid.scrollTop / ROW);
    this.anchored = { id: this.jobs.order[place], place, version: this.jobs.version };
  }

  undraw(id, row) {
    row.node.remove();
    this.rows.delete(id);
  }

  drawHeads() {
    const { column, descending } = this.jobs.sort;
    for (const cell of this.heads) {
      const sorted = cell.dataset.column === column ? (descending ? "descending" : "ascending") : null;
      setAttribute(cell, "aria-sort", sorted || (SORTED.has(cell.dataset.column) ? "none" : null));
    }
    setAttribute(this.grid, "aria-activedescendant", this.rows.has(this.active) ? this.idOf(this.active) : null);
  }

  idOf(id) {
    return `${this.prefix}-${id}`;
  }

  drawRow(id, place) {
    let row = this.rows.get(id);
    if (!row) {
      row = new Row(id, this);
      this.rows.set(id, row);
      this.body.append(row.node);
    }
    row.node.style.transform = `translateY(${place * ROW}px)`;
    setAttribute(row.node, "aria-rowindex", place + 2);
    row.fill(this.jobs.all.get(id));
    return row;
  }

  // Refill the changed rows that are drawn.
  refresh(ids) {
    for (const id of ids) if (this.rows.has(id)) this.rows.get(id).fill(this.jobs.all.get(id));
  }

  // Update the elapsed times of running jobs.
  tick() {
    for (const row of this.rows.values()) row.tick();
  }

  key(event) {
    if (event.target !== this.grid) return;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.move(steps[event.key], event.shiftKey);
    else if (event.key === " " && this.active !== null) this.select(this.active);
    else if (event.key === "Enter" && this.active !== null) this.open(this.active);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.selectAll();
    else return;
    event.preventDefault();
  }

  move(steps, extends_) {
    const { order } = this.jobs;
    if (!order.length) return;
    const place = this.active === null ? -1 : order.indexOf(this.active);
    const next = place < 0 ? (steps === Infinity ? order.length - 1 : 0) : Math.min(order.length - 1, Math.max(0, place + steps));
    if (extends_ && this.active !== null) this.selected.add(this.active);
    this.active = order[next];
    if (extends_) this.selected.add(this.active);
    const top = next * ROW;
    const seen = this.grid.clientHeight - ROW; // the header covers one row
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW > this.grid.scrollTop + seen) this.grid.scrollTop = top + ROW - seen;
    this.draw();
    if (extends_) this.selects();
  }

  // Select from the last chosen row to this one.
  selectTo(id) {
    const { order } = this.jobs;
    const [from, to] = [order.indexOf(this.active ?? id), order.indexOf(id)].sort((a, b) => a - b);
    for (const each of order.slice(Math.max(0, from), to + 1)) this.selected.add(each);
    this.refresh(this.rows.keys());
    this.selects();
  }

  select(id) {
    if (!this.selected.delete(id)) this.selected.add(id);
    this.refresh([id]);
    this.selects();
  }

  selectAll() {
    const every = this.jobs.order.every((id) => this.selected.has(id));
    this.selected = new Set(every ? [] : this.jobs.order);
    this.refresh(this.rows.keys());
    this.selects();
  }

  activate(id) {
    this.active = id;
    this.draw();
  }
}

class Row {
  constructor(id, table) {
    this.id = id;
    this.table = table;
    this.cells = Object.fromEntries(HEADS.map(([name]) => [name, element("div", { role: "gridcell", class: `b-cell b-of-${name}` })]));
    this.node = element("div", {
      role: "row", class: "b-row b-job", id: table.idOf(id), onclick: (event) => this.click(event), ondblclick: () => this.open(),
    }, ...Object.values(this.cells));
    this.cells.check.append(element("span", { class: "b-box", onclick: (event) => this.check(event) }));
    this.cells.state.append((this.dot = element("span", { class: "b-dot", "aria-hidden": "true" })), (this.status = element("span")));
    this.cells.job.append((this.target = element("span", { class: "b-target" })), (this.given = element("span", { class: "b-given" })));
    this.progress = new Progress(`Progress of job ${id}`);
    this.cells.far.append(this.progress.bar, this.progress.words);
    this.act = button("", { icon: "cancel", tabindex: -1, press: () => table.act(this.verb, [id]) });
    this.retry = button("", { icon: "retry", tabindex: -1, press: () => table.act("retry", [id]) });
    this.cells.actions.append(this.act, this.retry, button(`Open job ${id}`, { icon: "open", tabindex: -1, press: () => table.open(id) }));
    this.verb = "cancel";
    relabel(this.act, `Cancel job ${id}`);
  }

  click(event) {
    if (event.shiftKey) this.table.selectTo(this.id);
    else if (event.ctrlKey || event.metaKey) this.table.select(this.id);
    else this.table.activate(this.id);
  }

  // A double-click also selects a word.
  open() {
    getSelection().removeAllRanges();
    this.table.open(this.id);
  }

  check(event) {
    event.stopPropagation();
    this.table.select(this.id);
  }

  fill(job) {
    this.job = job;
    const { table } = this;
    const asked = table.busy.get(this.id);
    setText(this.cells.id, String(job.id));
    this.fillJob(job);
    setAttribute(this.cells.job, "title", `${job.name ? `${job.name}\n` : ""}${job.call}${job.group ? `\ngroup ${job.group}` : ""}`);
    setAttribute(this.node, "data-phase", phase(job));
    setAttribute(this.node, "data-asked", asked ? "true" : null);
    setAttribute(this.node, "aria-selected", table.selected.has(this.id) ? "true" : "false");
    setAttribute(this.node, "data-active", table.active === this.id ? "true" : null);
    setText(this.cells.queue, job.queue);
    setText(this.cells.priority, job.priority ? String(job.priority) : "");
    setText(this.cells.memory, job.memory ? size(job.memory) : "");
    this.fillProgress(job);
    this.fillActions(job);
    this.tick();
  }

  // If there is no room for both, the parameters keep a share of it: in a sweep, only they distinguish the jobs.
  fillJob(job) {
    const begin = job.call.indexOf("(");
    const given = begin < 0 ? "" : job.call.slice(begin);
    const target = begin < 0 ? job.call : job.call.slice(0, begin);
    setText(this.target, job.name ? `${job.name} · ${target}` : target);
    setText(this.given, given);
    const share = job.name ? 0 : job.group ? 85 : 55;
    this.given.style.minWidth = `min(${share}%, ${given.length}ch)`;
  }

  // The progress while it runs; otherwise what it is waiting for, how long it usually takes, or why it failed.
  fillProgress(job) {
    const otherwise = [waits(job, this.table.jobs.held), usually(job), job.error].filter(Boolean).join(" · ");
    const words = this.progress.fill(this.table.jobs.progressOf(job), otherwise, job.state === "queued" ? "" : this.table.jobs.valuesOf(job));
    setAttribute(this.cells.far, "title", words || null);
  }

  fillActions(job) {
    show(this.act, isLive(job));
    fillRetry(this.retry, job, `job ${this.id}`);
    this.act.disabled = this.retry.disabled = this.table.busy.has(this.id);
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
