// Jobs of no group that follow each other in a table and call the same, such as those of a loop: what differs comes first.

import { commonOf } from "./call.js";
import { partsOf } from "./groups.js";

const BLOCK = 100; // entries that are looked at together, with as many above and below

export class Neighbours {
  constructor(jobs) {
    this.jobs = jobs;
    this.forget();
  }

  forget() {
    this.version = this.jobs.version;
    this.commons = new Map(); // by job
  }

  // What the call of a job has in common with those of its neighbours; undefined if that is nothing, or all of it.
  commonOf(job) {
    if (this.version !== this.jobs.version) this.forget();
    if (!this.commons.has(job.id)) this.find(job);
    return this.commons.get(job.id);
  }

  find(job) {
    const { entries, all } = this.jobs;
    const target = targetOf(job);
    const fits = (entry) => all.has(entry) && isAlone(all.get(entry)) && targetOf(all.get(entry)) === target;
    const place = entries.indexOf(job.id);
    const block = place - (place % BLOCK);
    let [first, last] = [place, place];
    while (first > Math.max(0, block - BLOCK) && fits(entries[first - 1])) first--;
    while (last < Math.min(entries.length, block + 2 * BLOCK) - 1 && fits(entries[last + 1])) last++;
    const common = differing(entries.slice(first, last + 1).map((id) => partsOf(all.get(id))));
    for (const id of entries.slice(Math.max(first, block), Math.min(last + 1, block + BLOCK))) this.commons.set(id, common);
  }
}

// What calls have in common; undefined if they are all the same.
function differing(calls) {
  return new Set(calls.map((pieces) => JSON.stringify(pieces))).size > 1 ? commonOf(calls) : undefined;
}

function isAlone(job) {
  return job.group === null && !job.name;
}

function targetOf(job) {
  return partsOf(job).map(({ name }) => name).join("");
}
