// Which jobs are shown: by state, by what was chosen, and by what was typed, such as `loss queue:gpu group:8 since:2h`.

import { phase, STATES } from "./text.js";

const WORD = /(?:^|\s)(queue|group|notebook|state|since):("[^"]*"?|\S*)/gi;
const SPANS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const DAY = 86400;

export class Filter {
  constructor() {
    this.phases = new Set();
    Object.assign(this, { queue: "", notebook: "", span: 0, text: "", typed: {}, fault: "" });
  }

  // Take what was typed; `now` is the time of the other side.
  type(text, now) {
    this.typed = {};
    this.text = text.replace(WORD, (_, key, value) => {
      this.typed[key.toLowerCase()] = value.replaceAll('"', "").toLowerCase();
      return " ";
    }).trim().toLowerCase();
    this.limit(now);
  }

  // Since when jobs are shown, by what was typed and what was chosen.
  limit(now) {
    const typed = this.typed.since ? momentOf(this.typed.since, now) : 0;
    this.fault = faultOf(this.typed, typed);
    this.since = Math.max(typed || 0, this.span ? now - this.span : 0);
  }

  get any() {
    return this.phases.size > 0 || this.some;
  }

  // Whether there is any but the choice of states.
  get some() {
    const { queue, notebook, since, text, typed } = this;
    return Boolean(queue || notebook || since || text || Object.values(typed).some(Boolean));
  }

  passes(job) {
    return this.passesPhase(job) && this.passesRest(job);
  }

  passesPhase(job) {
    return !this.phases.size || this.phases.has(phase(job));
  }

  // Whether all but the choice of states lets a job pass. What can't be understood lets none: an action would take too many.
  passesRest(job) {
    if (this.fault) return false;
    if (this.queue && job.queue !== this.queue) return false;
    if (this.notebook && job.notebook !== this.notebook) return false;
    if (this.since && job.submitted < this.since) return false;
    return this.passesTyped(job) && (!this.text || words(job).includes(this.text));
  }

  passesTyped(job) {
    const { queue, notebook, state, group } = this.typed;
    if (queue && !job.queue.toLowerCase().includes(queue)) return false;
    if (notebook && !(job.notebook || "").toLowerCase().includes(notebook)) return false;
    if (state && !phase(job).startsWith(state)) return false;
    return !group || String(job.group) === group || (job.group_name || "").toLowerCase().includes(group);
  }
}

// Why what was typed means nothing, in one sentence; "" if it does. The beginning of a state is one.
function faultOf({ state, since }, moment) {
  if (state && !STATES.some((name) => name.startsWith(state))) return `${state} is not a state: ${STATES.join(", ")}.`;
  return moment === null ? `${since} is not a time: 30m, 2h, 3d, 14:00 or 2026-11-27.` : "";
}

// A time as users type it: `2h` ago, `14:00` of today or yesterday, `2026-11-27`; null if it is none, or not finished.
export function momentOf(text, now) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) || [];
  if (unit) return now - number * SPANS[unit];
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(text) || [];
  if (minutes) {
    const moment = new Date(now * 1000).setHours(hours, minutes, 0, 0) / 1000;
    return moment > now ? moment - DAY : moment;
  }
  const moment = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00`) / 1000 : NaN;
  return Number.isNaN(moment) ? null : moment;
}

// What is searched; written once for each job, since each key that is pressed searches all of them.
function words(job) {
  return (job.words ??= writtenWords(job));
}

function writtenWords(job) {
  const group = job.group === null ? "" : ` group ${job.group} ${job.group_name || ""}`;
  return `${job.id} ${job.name || ""} ${job.call} ${job.error || ""} ${job.queue} ${job.notebook || ""}${group}`.toLowerCase();
}
