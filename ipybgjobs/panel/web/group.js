// The card of a group: its bar and counts, actions on all of its jobs, and the jobs themselves, failed and best first.

import { Board } from "./board.js";
import { Confirm, questionFor } from "./confirm.js";
import { Detail } from "./detail.js";
import { button, element, setAttribute, setText, show } from "./elements.js";
import { count, elapsed, far, phase, STATES } from "./text.js";
import { stateWords, waits } from "./waiting.js";

const FEW = 8; // rows that are shown before all are asked for
const MOST_VALUES = 3; // columns of values
const LOWER = /loss|err|rmse|mse|mae|perplexity|seconds|time/i; // values of which the lowest is the best

const RANKS = { failed: 0, running: 2, retrying: 3, succeeded: 4, queued: 5, cancelled: 6 };
const BEST = 1; // between the failed and the others

export class GroupCard extends Board {
  build() {
    this.rows = new Map();
    this.busy = new Map();
    this.title = element("span", { class: "b-title" });
    this.counts = element("div", { class: "b-counts", role: "group", "aria-label": "Jobs by state" });
    this.bar = element("div", { class: "b-stack", role: "img" });
    this.segments = new Map(STATES.map((name) => [name, element("span", { "data-phase": name })]));
    this.bar.append(...["succeeded", "failed", "cancelled", "running", "retrying", "queued"].map((name) => this.segments.get(name)));
    this.words = new Map(STATES.map((name) => [name, this.word(name)]));
    this.counts.append(...[...this.words.values()].map(({ node }) => node));
    this.priority = element("input", { type: "number", step: 1, value: 0, required: true, class: "b-number", "aria-label": "Priority of the queued jobs" });
    this.setter = element("form", { class: "b-form", onsubmit: (event) => this.setPriority(event) },
      this.priority, element("button", { type: "submit", class: "b-button", title: "Set the priority of the queued jobs" }, element("span", {}, "Set priority")));
    this.retry = button("Retry the failed and cancelled jobs", { icon: "retry", text: "Retry", press: (event) => this.request("retry", undefined, {}, event.currentTarget) });
    this.cancel = button("Cancel the unfinished jobs", { icon: "cancel", text: "Cancel", press: (event) => this.request("cancel", undefined, {}, event.currentTarget) });
    this.confirm = new Confirm(element("div", { class: "b-confirm", role: "alertdialog", "aria-label": "Confirm" }));
    this.head = element("tr", {});
    this.body = element("tbody", {});
    this.all = element("button", { type: "button", class: "b-button b-all", "aria-expanded": "false", onclick: () => this.toggleAll() });
    this.detail = new Detail({
      act: (verb, ids, options, at) => this.request(verb, ids, options, at), close: () => this.shut(), held: this.jobs.held, now: this.now,
      asks: (kind, options) => this.link.send({ kind, ...options }), told: (text) => this.say(text),
    });
    this.list = element("div", { class: "b-members", role: "region", tabindex: 0, "aria-label": "Jobs of the group" },
      element("table", {}, element("thead", {}, this.head), this.body));
    this.root.classList.add("ipybgjobs", "b-group");
    this.root.append(
      element("div", { class: "b-bar-of" }, this.title, element("span", { class: "b-space" }), this.setter, this.retry, this.cancel),
      this.bar, this.counts, this.confirm.node, this.list, this.all, this.detail.node, this.status,
    );
  }

  word(name) {
    const text = element("span");
    return { node: element("span", { class: "b-count", "data-phase": name }, element("span", { class: "b-dot", "aria-hidden": "true" }), text), text };
  }

  around({ group }) {
    if (!group) return;
    this.about = group;
    setAttribute(this.list, "aria-label", `Jobs of group ${group.id}`);
  }

  label(id) {
    return this.about.labels[id] || this.jobs.all.get(id).call;
  }

  drawJobs() {
    const jobs = [...this.jobs.all.values()];
    setText(this.title, this.about.title + (jobs.length ? "" : " (removed)"));
    this.drawCounts(jobs.length);
    this.columns = this.chooseColumns(jobs);
    this.sorted = this.order(jobs);
    this.drawRows();
    const of = (...phases) => phases.reduce((sum, name) => sum + this.jobs.counts[name], 0);
    show(this.cancel, of("queued", "retrying", "running") > 0);
    show(this.retry, of("failed", "cancelled") > 0);
    show(this.setter, of("queued", "retrying") > 0);
    if (this.link.opened !== null && !this.jobs.all.has(this.link.opened)) this.shut();
  }

  drawCounts(total) {
    for (const name of STATES) {
      const number = this.jobs.counts[name];
      show(this.segments.get(name), number > 0); // an empty one would have a gap beside it
      this.segments.get(name).style.width = `${total ? (100 * number) / total : 0}%`;
      setText(this.words.get(name).text, `${number.toLocaleString("en")} ${name}`);
      show(this.words.get(name).node, number > 0);
    }
    const words = STATES.filter((name) => this.jobs.counts[name]).map((name) => `${this.jobs.counts[name]} ${name}`).join(", ");
    setAttribute(this.bar, "aria-label", `${count(total, "job")}: ${words}`);
  }

  // The names of the recorded values that most jobs have, in the order in which they were recorded; numbers first.
  chooseColumns(jobs) {
    const seen = new Map();
    for (const { id } of jobs) {
      for (const [name, value] of Object.entries(this.jobs.values.get(id) || {})) {
        const known = seen.get(name) || { name, many: 0, numbers: 0 };
        seen.set(name, Object.assign(known, { many: known.many + 1, numbers: known.numbers + (typeof value === "number") }));
      }
    }
    const found = [...seen.values()].sort((a, b) => (b.numbers > 0) - (a.numbers > 0));
    if (!this.by && found[0]?.numbers) this.by = { name: found[0].name, descending: !LOWER.test(found[0].name) };
    return found.slice(0, MOST_VALUES).map(({ name }) => name);
  }

  valueOf({ id }) {
    const value = this.by && this.jobs.values.get(id)?.[this.by.name];
    return typeof value === "number" ? (this.by.descending ? -value : value) : Infinity;
  }

  // Failed jobs, the best one, running ones, then the others by the chosen value.
  order(jobs) {
    const ranked = jobs.map((job) => ({ job, value: this.valueOf(job), rank: RANKS[phase(job)] }));
    const rated = ranked.filter(({ job, value }) => value < Infinity && phase(job) !== "failed");
    this.best = null;
    if (rated.length > 1) {
      const natural = this.by.descending !== LOWER.test(this.by.name); // otherwise the worst values come first
      const best = rated.reduce((a, b) => (b.value < a.value === natural && b.value !== a.value ? b : a));
      if (natural) best.rank = BEST;
      this.best = best.job.id;
    }
    return ranked.sort((a, b) => a.rank - b.rank || (a.value < b.value ? -1 : a.value > b.value ? 1 : a.job.id - b.job.id)).map(({ job }) => job);
  }

  drawRows() {
    this.drawHead();
    const shown = this.whole ? this.sorted : this.sorted.slice(0, FEW);
    const kept = new Set(shown.map(({ id }) => id));
    for (const [id, row] of this.rows) if (!kept.has(id)) (row.node.remove(), this.rows.delete(id));
    let next = this.body.firstChild;
    for (const job of shown) {
      const node = this.drawRow(job);
      if (node === next) next = next.nextSibling;
      else this.body.insertBefore(node, next);
    }
    const many = this.sorted.length;
    show(this.all, many > FEW);
    setText(this.all, this.whole ? `Show ${FEW}` : `Show all ${many.toLocaleString("en")}`);
    setAttribute(this.all, "aria-expanded", Boolean(this.whole));
  }

  drawHead() {
    const { name, descending } = this.by || {};
    const key = JSON.stringify([this.columns, name, descending]);
    if (this.headed === key) return;
    this.headed = key;
    const heads = ["ID", "Parameters", "State", "Elapsed"].map((title) => element("th", { scope: "col" }, title));
    const values = this.columns.map((each) => {
      const cell = element("th", { scope: "col", class: "b-value", "aria-sort": each === name ? (descending ? "descending" : "ascending") : "none" });
      cell.append(button(`Sort by ${each}`, { text: each, press: () => this.sortBy(each), class: "b-sort" }));
      return cell;
    });
    this.head.replaceChildren(element("td", {}), ...heads, ...values);
  }

  sortBy(name) {
    this.by = { name, descending: this.by?.name === name ? !this.by.descending : !LOWER.test(name) };
    this.drawJobs();
  }

  drawRow(job) {
    let row = this.rows.get(job.id);
    if (!row) this.rows.set(job.id, (row = this.newRow(job)));
    const { cells, node } = row;
    const words = this.busy.get(job.id) || stateWords(job, this.now());
    setText(cells.label, this.label(job.id));
    setText(cells.state, words + (job.id === this.best ? " · best" : ""));
    setText(cells.more, this.more(job));
    setAttribute(node, "data-phase", phase(job));
    setAttribute(node, "data-best", job.id === this.best || null);
    setAttribute(node, "aria-current", this.link.opened === job.id || null);
    setText(cells.elapsed, elapsed(job, this.now()));
    const values = this.columns.map((name) => this.jobs.values.get(job.id)?.[name]);
    while (cells.values.length < values.length) {
      const cell = element("td", { class: "b-value" });
      cells.values.push(cell);
      node.append(cell);
    }
    cells.values.forEach((cell, index) => (show(cell, index < values.length), setText(cell, written(values[index]))));
    return node;
  }

  newRow(job) {
    const open = button(`Open job ${job.id}`, { text: String(job.id), class: "b-open", press: () => this.toggle(job.id) });
    const cells = { label: element("td", { class: "b-label" }), state: element("span"), more: element("span", { class: "b-words" }), elapsed: element("td", { class: "b-took" }), values: [] };
    const node = element("tr", { onclick: () => this.toggle(job.id) },
      element("td", {}, element("span", { class: "b-dot", "aria-hidden": "true" })), element("td", {}, open), cells.label,
      element("td", { class: "b-now" }, cells.state, cells.more), cells.elapsed);
    return { node, cells };
  }

  // What there is to say of a job besides its state: its progress, what it waits for, or why it failed.
  more(job) {
    const progress = this.jobs.progressOf(job);
    const words = progress ? far(progress) : [waits(job, this.jobs.held), job.error !== job.state && job.error].filter(Boolean).join(" · ");
    return words ? ` · ${words}` : "";
  }

  toggleAll() {
    this.whole = !this.whole;
    this.drawRows();
  }

  tick() {
    this.detail.tick();
    for (const [id, { cells }] of this.rows) if (this.jobs.all.has(id)) setText(cells.elapsed, elapsed(this.jobs.all.get(id), this.now()));
  }

  toggle(id) {
    if (this.link.opened === id) this.shut();
    else if (this.jobs.all.has(id)) this.open(id);
  }

  open(id) {
    this.detail.open(this.jobs.all.get(id));
    this.link.look({ opened: id });
    this.drawRows();
    this.detail.node.scrollIntoView({ block: "nearest" });
  }

  shut() {
    const { opened } = this.link;
    const had = this.detail.node.contains(document.activeElement);
    this.detail.close();
    this.link.look({ opened: null });
    this.drawRows();
    if (had) this.rows.get(opened)?.node.querySelector("button").focus();
  }

  ask(ids, words) {
    for (const id of ids) words ? this.busy.set(id, words) : this.busy.delete(id);
    this.drawRows();
    if (ids.includes(this.detail.id)) this.detail.ask(words);
  }

  rest() {
    return "";
  }

  // The jobs of the group that a verb applies to.
  those(verb) {
    const phases = { cancel: ["queued", "retrying", "running"], retry: ["failed", "cancelled"], priority: ["queued", "retrying"] }[verb];
    return [...this.jobs.all.values()].filter((job) => phases.includes(phase(job))).map(({ id }) => id);
  }

  async request(verb, ids = this.those(verb), options = {}, at = undefined) {
    const question = questionFor(verb, ids, this.jobs.all);
    if (!ids.length || (question && !(await this.confirm.ask(question, at)))) return;
    await this.act(verb, ids, options);
  }

  setPriority(event) {
    event.preventDefault();
    this.request("priority", this.those("priority"), { to: Number(this.priority.value) });
  }
}

function written(value) {
  if (typeof value !== "number" || Number.isInteger(value)) return value === undefined ? "" : String(value);
  return String(Number(value.toPrecision(4)));
}
