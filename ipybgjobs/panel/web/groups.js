// The groups among the jobs that are shown: a group of several is one entry, and its jobs follow it where it is unfolded.

import { commonOf, narrowed, piecesOf } from "./call.js";
import { phase } from "./text.js";

const PREFIX = "g"; // of the key of a group; that of a job is its id

export class Groups {
  constructor() {
    this.unfolded = new Set(); // ids
    this.members = new Map(); // the jobs of each that are held, shown or not
    this.shown = new Map(); // by key: those with several jobs that are shown
    this.commons = new Map(); // what the calls of each have in common
  }

  // Count a job, or no longer.
  tally(job, one) {
    if (job.group === null) return;
    const ids = this.members.get(job.group) || new Set();
    const before = ids.size;
    one > 0 ? ids.add(job.id) : ids.delete(job.id);
    if (ids.size) this.members.set(job.group, ids);
    else this.members.delete(job.group);
    if (ids.size > before) this.narrow(job);
    else if (ids.size < before) this.commons.delete(job.group);
  }

  // One job more: what all have in common is at most what the others have.
  narrow(job) {
    const common = this.commons.get(job.group);
    if (common) this.commons.set(job.group, narrowed(common, partsOf(job)));
  }

  // A job that stays at its place has changed.
  change(old, job) {
    const counts = this.around(job)?.counts;
    if (!counts || phase(old) === phase(job)) return;
    counts[phase(old)]--;
    counts[phase(job)] = (counts[phase(job)] || 0) + 1;
  }

  clear() {
    this.members.clear();
    this.commons.clear();
  }

  // The entries of a table: keys of groups, and ids of jobs that are alone or whose group is unfolded.
  arrange(order, all) {
    const found = new Map();
    if (this.members.size) for (const id of order) this.add(all.get(id), found);
    this.shown = new Map([...found.values()].filter(({ ids }) => ids.length > 1).map((group) => [group.key, group]));
    return this.shown.size ? order.flatMap((id) => this.entriesAt(id, all.get(id))) : [...order];
  }

  add(job, found) {
    if (job.group === null) return;
    let group = found.get(job.group);
    if (!group) found.set(job.group, (group = { id: job.group, key: keyOf(job.group), name: job.group_name, ids: [], counts: {} }));
    group.ids.push(job.id);
    group.counts[phase(job)] = (group.counts[phase(job)] || 0) + 1;
  }

  entriesAt(id, job) {
    const group = this.around(job);
    if (!group) return id;
    if (group.ids[0] !== id) return [];
    return this.unfolded.has(group.id) ? [group.key, ...group.ids] : group.key;
  }

  // The group whose row is above that of a job, if there is one.
  around(job) {
    return job.group === null ? undefined : this.shown.get(keyOf(job.group));
  }

  // The number of jobs of a group that are held, shown or not.
  sizeOf(group) {
    return this.members.get(group.id)?.size || 0;
  }

  toggle(id, unfolds = !this.unfolded.has(id)) {
    unfolds ? this.unfolded.add(id) : this.unfolded.delete(id);
  }

  // What all jobs of a group have in common.
  commonIn(id, all) {
    const ids = this.members.get(id);
    if (!ids || ids.size < 2) return undefined;
    if (!this.commons.has(id)) this.commons.set(id, commonOf([...ids].map((each) => partsOf(all.get(each)))));
    return this.commons.get(id);
  }
}

// The key of a group.
export function keyOf(id) {
  return `${PREFIX}${id}`;
}

// The pieces of a job's call, taken apart once.
export function partsOf(job) {
  return (job.pieces ??= piecesOf(job));
}
