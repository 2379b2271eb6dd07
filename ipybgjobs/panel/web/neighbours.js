// Jobs of no group that follow each other in a table and call the same, such as those of a loop: what differs comes first.

import { commonOf } from "./call.js";
import { partsOf } from "./groups.js";

const FARTHEST = 200; // entries to look at, up and down

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
    let [first, last] = [place, place];
    while (first > Math.max(0, place - FARTHEST) && fits(entries[first - 1])) first--;
    while (last < Math.min(entries.length - 1, place + FARTHEST) && fits(entries[last + 1])) last++;
    this.note(entries.slice(first, last + 1).map((id) => all.get(id)), job);
  }

  note(run, job) {
    const calls = run.map(partsOf);
    const differ = new Set(calls.map((pieces) => JSON.stringify(pieces))).size > 1;
    const common = differ ? commonOf(calls) : undefined;
    for (const each of run.length < FARTHEST ? run : [job]) this.commons.set(each.id, common);
  }
}

function isAlone(job) {
  return job.group === null && !job.name;
}

function targetOf(job) {
  return partsOf(job).map(({ name }) => name).join("");
}
