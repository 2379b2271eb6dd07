// The table: rows are drawn as needed, the header sorts, arrow keys move and fold, Space selects, Enter opens.

import { button, element, setAttribute } from "./elements.js";
import { GroupRow } from "./group_row.js";
import { Neighbours } from "./neighbours.js";
import { Row } from "./row.js";
import { Selection } from "./selection.js";

const ROW = 28; // pixels
const AROUND = 6; // rows drawn beyond the visible ones

const HEADS = [
  ["check", ""], ["id", "ID"], ["state", "State"], ["job", "Job"], ["far", "Progress"], ["elapsed", "Elapsed"],
  ["queue", "Queue"], ["priority", "Priority"], ["submitted", "Submitted"], ["memory", "Peak memory"], ["actions", ""],
];
const SORTED = new Set(["id", "job", "state", "elapsed", "queue", "priority", "submitted", "memory"]);
const COLUMN_NAMES = HEADS.map(([name]) => name);

export class Table {
  // `act(verb, ids, at)` acts on jobs, `open(id)` shows one, `selects()` is called when the selection changes.
  constructor(jobs, { act, open, selects, now }) {
    Object.assign(this, { jobs, act, open, selects, now });
    this.rows = new Map(); // the drawn ones, by entry: the id of a job, or the key of a group
    this.neighbours = new Neighbours(jobs);
    this.selection = new Selection(jobs, () => this.redraw());
    this.active = null; // an entry
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
      role: "treegrid", class: "b-grid", tabindex: 0, "aria-label": "Background jobs", "aria-multiselectable": "true",
      "aria-colcount": HEADS.length, onkeydown: (event) => this.key(event), onscroll: () => this.draw(),
      onmousedown: (event) => event.shiftKey && (event.preventDefault(), this.grid.focus()), // not to select text
    }, element("div", { role: "rowgroup", class: "b-head" }, header), this.body);
    this.grid = grid;
    return element("div", { class: "b-table" }, grid, this.empty);
  }

  head(name, title) {
    const cell = element("div", { role: "columnheader", class: `b-cell b-of-${name}` });
    if (SORTED.has(name)) cell.append(button(`Sort by ${title.toLowerCase()}`, { text: title, press: () => this.sortBy(name), class: "b-sort" }));
    else if (name === "check") cell.append((this.all = this.buildAll()));
    else cell.append(element("span", { class: title ? "" : "b-hidden" }, title || "Actions"));
    cell.dataset.column = name;
    return cell;
  }

  buildAll() {
    return button("Select all jobs that are shown", { class: "b-box", role: "checkbox", "aria-checked": "false", press: () => this.selection.toggleAll() });
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
    const { entries } = this.jobs;
    this.body.style.height = `${entries.length * ROW}px`;
    this.anchor();
    const begin = Math.max(0, Math.floor(this.grid.scrollTop / ROW) - AROUND);
    const end = Math.min(entries.length, begin + Math.ceil((this.grid.clientHeight || 400) / ROW) + 2 * AROUND);
    setAttribute(this.grid, "aria-rowcount", entries.length + 1);
    setAttribute(this.grid, "data-queues", Math.min(2, this.jobs.queues.size)); // where there is little room, one queue needs no column
    const seen = new Set(entries.slice(begin, end));
    for (const [entry, row] of this.rows) if (!seen.has(entry)) this.undraw(entry, row);
    let next = this.body.firstChild; // a screen reader reads them in document order
    for (let place = begin; place < end; place++) {
      const { node } = this.drawRow(entries[place], place);
      if (node === next) next = next.nextSibling;
      else if (!node.contains(document.activeElement)) this.body.insertBefore(node, next);
    }
    this.drawHeads();
  }

  // Forget jobs that no longer exist.
  forget() {
    this.selection.forget();
    if (this.active !== null && !this.jobs.idsOf(this.active).length) this.active = null;
  }

  // Keep the visible rows under the pointer when jobs are added above them.
  anchor() {
    const { scrollTop } = this.grid;
    const from = this.anchored;
    if (from && from.version !== this.jobs.version && scrollTop > ROW) {
      const place = this.jobs.entries.indexOf(from.entry);
      if (place >= 0 && place !== from.place) this.grid.scrollTop = scrollTop + (place - from.place) * ROW;
    }
    const place = Math.floor(this.grid.scrollTop / ROW);
    this.anchored = { entry: this.jobs.entries[place], place, version: this.jobs.version };
  }

  undraw(entry, row) {
    row.node.remove();
    this.rows.delete(entry);
  }

  drawHeads() {
    const { column, descending } = this.jobs.sort;
    for (const cell of this.heads) {
      const sorted = cell.dataset.column === column ? (descending ? "descending" : "ascending") : null;
      setAttribute(cell, "aria-sort", sorted || (SORTED.has(cell.dataset.column) ? "none" : null));
    }
    setAttribute(this.grid, "aria-activedescendant", this.rows.has(this.active) ? this.idOf(this.active) : null);
    setAttribute(this.all, "aria-checked", String(this.selection.of(this.jobs.order)));
  }

  idOf(entry) {
    return `${this.prefix}-${entry}`;
  }

  drawRow(entry, place) {
    let row = this.rows.get(entry);
    if (!row) {
      row = this.jobs.all.has(entry) ? new Row(entry, this, COLUMN_NAMES) : new GroupRow(entry, this);
      this.rows.set(entry, row);
      this.body.append(row.node);
    }
    row.node.style.transform = `translateY(${place * ROW}px)`;
    setAttribute(row.node, "aria-rowindex", place + 2);
    this.fill(entry);
    return row;
  }

  // Fill a row that is drawn, unless what it shows has gone since.
  fill(entry) {
    const shown = this.jobs.all.get(entry) || this.jobs.group(entry);
    if (shown) this.rows.get(entry)?.fill(shown);
  }

  // Refill the changed rows that are drawn.
  refresh(ids) {
    for (const id of ids) if (this.rows.has(id)) this.fill(id);
  }

  // The selection has changed.
  redraw() {
    for (const entry of this.rows.keys()) this.fill(entry);
    this.drawHeads();
    this.selects();
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
    else if (event.key === " " && this.active !== null) this.selection.toggle(this.active);
    else if (event.key === "Enter" && this.active !== null) this.enter(this.active);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.unfold(event.key === "ArrowRight");
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.selection.toggleAll();
    else return;
    event.preventDefault();
  }

  // Open a job, or unfold a group.
  enter(entry) {
    if (this.jobs.all.has(entry)) this.open(entry);
    else this.fold(this.jobs.group(entry).id);
  }

  // Unfold the active group; fold it, also from one of its jobs.
  unfold(unfolds) {
    const job = this.jobs.all.get(this.active);
    const group = job ? !unfolds && this.jobs.groups.around(job) : this.jobs.group(this.active);
    if (!group) return;
    this.active = group.key;
    this.fold(group.id, unfolds);
    this.reveal(this.jobs.entries.indexOf(this.active));
  }

  fold(id, unfolds) {
    this.jobs.toggle(id, unfolds);
    this.draw();
  }

  move(steps, extends_) {
    const { entries } = this.jobs;
    if (!entries.length) return;
    const place = this.active === null ? -1 : entries.indexOf(this.active);
    const next = place < 0 ? (steps === Infinity ? entries.length - 1 : 0) : Math.min(entries.length - 1, Math.max(0, place + steps));
    if (!extends_) this.selection.begin(entries[next]);
    else if (this.selection.from === null) this.selection.begin(this.active ?? entries[next]);
    this.active = entries[next];
    this.reveal(next);
    if (extends_) this.selection.extend(this.active);
  }

  // Scroll so that a row is visible.
  reveal(place) {
    const top = place * ROW;
    const seen = this.grid.clientHeight - ROW; // the header covers one row
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + ROW > this.grid.scrollTop + seen) this.grid.scrollTop = top + ROW - seen;
    this.draw();
  }

  // A row was clicked.
  point(entry, { shiftKey, ctrlKey, metaKey }) {
    if (shiftKey) this.selection.extend(entry);
    else if (ctrlKey || metaKey) this.selection.toggle(entry);
    else this.selection.begin(entry);
    this.activate(entry);
  }

  // The box of a row was clicked.
  check(entry, { shiftKey }) {
    if (shiftKey) this.selection.extend(entry);
    else this.selection.toggle(entry);
    this.activate(entry);
  }

  activate(entry) {
    this.active = entry;
    this.draw();
  }
}
