// The jobs of a panel, in the order and with the filter that its user chose. The cost of a change is that of one job.

import { Filter } from "./filter.js";
import { Groups, keyOf } from "./groups.js";
import { isWaiting, phase, STATES } from "./text.js";

// In the order of `panel/rows.py`.
const COLUMNS = [
  "id", "state", "name", "call", "queue", "priority", "submitted", "started", "ended", "not_before",
  "attempt", "allowed", "memory", "error", "group", "blockers", "elsewhere", "after", "usual",
  "group_name", "notebook", "whole",
];

const MANY = 100; // jobs that are merged rather than placed one by one

const KEYS = {
  id: (job) => job.id,
  job: (job) => (job.name || job.call).toLowerCase(),
  state: (job) => STATES.indexOf(phase(job)),
  elapsed: (job, now) => (job.started ? (job.ended || now) - job.started : -1),
  queue: (job) => job.queue,
  priority: (job) => job.priority,
  submitted: (job) => job.submitted,
  memory: (job) => job.memory || 0,
};

export class Jobs {
  // `clock` returns the time of the other side, in seconds.
  constructor(clock) {
    this.clock = clock;
    this.newest = 0; // the highest id so far
    this.all = new Map();
    this.order = []; // those that match the filter, in order
    this.totals = zeros(); // number of jobs in each state
    this.counts = zeros(); // of these, those that the filters other than that of states leave
    this.stored = null; // until all rows are here: the totals of the store
    this.queues = new Map(); // number of jobs of each
    this.notebooks = new Map(); // the same
    this.held = { paused: [], full: {} }; // queues that start nothing
    this.filter = new Filter();
    this.groups = new Groups();
    this.sort = { column: "id", descending: true };
    this.progress = new Map();
    this.values = new Map(); // recorded by the jobs, by id
    this.now = clock();
    this.version = 0; // grows when the order changes
  }

  // Take rows from a snapshot, older ones, or changes. Returns the entries that may look different now.
  take(rows) {
    const jobs = rows.map(decoded);
    if (this.stored) this.count(jobs);
    if (jobs.length > MANY) this.merge(jobs);
    else for (const job of jobs) this.replace(job);
    const groups = new Set(jobs.filter((job) => job.group !== null).map(({ group }) => keyOf(group)));
    return [...jobs.map((job) => job.id), ...groups];
  }

  // Take many jobs at once: they are sorted among themselves, and merged with the others, which are in order.
  merge(jobs) {
    let known = 0;
    for (const job of jobs) if (this.note(job)) known++;
    const ids = new Set(jobs.map(({ id }) => id));
    const others = known ? this.order.filter((id) => !ids.has(id)) : this.order;
    const more = this.sorted([...ids].map((id) => this.all.get(id)).filter((job) => this.passes(job)));
    this.order = this.merged(others, more);
    this.version++;
  }

  merged(first, second) {
    const { all } = this;
    if (!first.length || !second.length) return first.concat(second);
    if (this.compare(all.get(first.at(-1)), all.get(second[0])) < 0) return first.concat(second);
    const found = [];
    let at = 0;
    for (const id of first) {
      while (at < second.length && this.compare(all.get(second[at]), all.get(id)) < 0) found.push(second[at++]);
      found.push(id);
    }
    return found.concat(second.slice(at));
  }

  note(job) {
    const before = this.all.get(job.id);
    if (before) this.tally(before, -1);
    if (before?.call === job.call) job.pieces = before.pieces;
    this.all.set(job.id, job);
    this.newest = Math.max(this.newest, job.id);
    this.tally(job, 1);
    this.groups.tally(job, 1);
    if (job.state !== "running" || (before && before.attempt !== job.attempt)) this.progress.delete(job.id);
    if (before && before.attempt !== job.attempt) this.values.delete(job.id);
    return before;
  }

  replace(job) {
    const old = this.all.get(job.id);
    const place = old && this.passes(old) ? this.place(old) : -1;
    this.note(job);
    if (place >= 0 && this.passes(job) && this.compare(old, job) === 0) return this.groups.change(old, job);
    this.version++;
    if (place >= 0) this.order.splice(place, 1);
    if (this.passes(job)) this.order.splice(this.placeFor(job), 0, job.id);
  }

  drop(ids) {
    for (const id of ids) {
      const job = this.all.get(id);
      if (!job) continue;
      const place = this.passes(job) ? this.place(job) : -1;
      if (place >= 0) this.order.splice(place, 1);
      if (this.stored) this.stored[phase(job)]--;
      this.tally(job, -1);
      this.groups.tally(job, -1);
      this.all.delete(id);
      this.progress.delete(id);
      this.values.delete(id);
      this.version++;
    }
  }

  // Keep the newest; a few more are tolerated, so that this is rare.
  trim(most) {
    if (this.all.size <= most + 1000) return;
    const ids = [...this.all.keys()].sort((a, b) => a - b);
    this.drop(ids.slice(0, ids.length - most).filter((id) => this.all.get(id).state !== "running"));
  }

  clear() {
    this.all.clear();
    this.progress.clear();
    this.values.clear();
    this.queues.clear();
    this.notebooks.clear();
    this.groups.clear();
    this.totals = zeros();
    this.arrange();
  }

  // Keep the store's totals true while rows are still missing: a row that was missing is counted there already.
  count(jobs) {
    for (const job of jobs) {
      const before = this.all.get(job.id);
      if (before) this.stored[phase(before)]--;
      if (before || job.id > this.newest) this.stored[phase(job)] = (this.stored[phase(job)] || 0) + 1;
    }
  }

  // The number of jobs in a state that the other filters leave, and of all of them.
  countsOf(name) {
    const total = this.stored ? this.stored[name] || 0 : this.totals[name];
    return [this.stored && !this.filter.some ? total : this.counts[name], total];
  }

  // Take which queues start nothing; returns the jobs that may wait for another reason now.
  hold(message) {
    const news = ["paused", "full"].filter((key) => message[key] !== undefined);
    for (const key of news) this.held[key] = message[key];
    return news.length ? [...this.all.values()].filter(isWaiting).map((job) => job.id) : [];
  }

  takeProgress(rows) {
    for (const [id, share, done, total, unit, rate, left, message] of rows) {
      this.progress.set(id, { share, done, total, unit, rate, left, message });
    }
  }

  takeValues(rows) {
    for (const [id, values] of rows) this.values.set(id, values);
  }

  // The recorded values of a job, as text.
  valuesOf(job) {
    return Object.entries(this.values.get(job.id) || {}).map(([name, value]) => `${name}=${typeof value === "number" ? Number(value.toPrecision(4)) : value}`).join(", ");
  }

  // The progress of a job; null if it is not running, or has not reported any.
  progressOf(job) {
    return (job.state === "running" && this.progress.get(job.id)) || null;
  }

  tally(job, one) {
    this.totals[phase(job)] += one;
    if (this.filter.passesRest(job)) this.counts[phase(job)] += one;
    tallyIn(this.queues, job.queue, one);
    if (job.notebook) tallyIn(this.notebooks, job.notebook, one);
  }

  passes(job) {
    return this.filter.passes(job);
  }

  // What a table shows in order: ids of jobs, and keys of groups.
  get entries() {
    if (this.arranged !== this.version) this.shown = this.groups.arrange(this.order, this.all);
    this.arranged = this.version;
    return this.shown;
  }

  // The group of a key that is shown as one entry.
  group(key) {
    return this.entries && this.groups.shown.get(key);
  }

  // The jobs of an entry that are shown.
  idsOf(entry) {
    return this.all.has(entry) ? [entry] : this.group(entry)?.ids || [];
  }

  // Unfold a group, or fold it.
  toggle(id, unfolds) {
    this.groups.toggle(id, unfolds);
    this.version++;
  }

  arrange() {
    this.now = this.clock();
    const left = [...this.all.values()].filter((job) => this.filter.passesRest(job));
    this.counts = zeros();
    for (const job of left) this.counts[phase(job)]++;
    this.order = this.sorted(left.filter((job) => this.filter.passesPhase(job)));
    this.version++;
  }

  // The ids of jobs in order; what they are sorted by is worked out once for each.
  sorted(jobs) {
    const key = KEYS[this.sort.column];
    const keyed = jobs.map((job) => ({ id: job.id, key: key(job, this.now) }));
    return keyed.sort((a, b) => this.compareKeys(a.key, b.key) || b.id - a.id).map(({ id }) => id); // the newest first
  }

  compare(a, b) {
    const key = KEYS[this.sort.column];
    return this.compareKeys(key(a, this.now), key(b, this.now)) || b.id - a.id;
  }

  compareKeys(first, second) {
    const sign = this.sort.descending ? -1 : 1;
    if (first < second) return -sign;
    return first > second ? sign : 0;
  }

  // The position of a job in the order: where it is, or where it belongs.
  placeFor(job) {
    let [low, high] = [0, this.order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.compare(this.all.get(this.order[middle]), job) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  place(job) {
    const found = this.placeFor(job);
    return this.order[found] === job.id ? found : this.order.indexOf(job.id);
  }
}

function decoded(row) {
  const job = {};
  for (let index = 0; index < COLUMNS.length; index++) job[COLUMNS[index]] = row[index] ?? null;
  return job;
}

function zeros() {
  return Object.fromEntries(STATES.map((name) => [name, 0]));
}

function tallyIn(counts, key, one) {
  const many = (counts.get(key) || 0) + one;
  if (many) counts.set(key, many);
  else counts.delete(key);
}
