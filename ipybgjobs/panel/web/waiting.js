// Why a job waits, and how long such jobs usually run. `held` is what concerns all jobs: the paused queues, and the full ones.

import { clock, count, isLive, isWaiting, status } from "./text.js";

// What a queued job waits for; of a full queue, the number of jobs that hold its slots is known, and the first of them.
export function waits(job, { paused, full }) {
  if (!isWaiting(job)) return "";
  if (job.blockers) return `after ${named(job.after || [], job.blockers)}`;
  if (paused.includes(job.queue)) return `queue ${job.queue} is paused`;
  if (job.not_before > job.submitted) return `at ${clock(job.not_before)}`;
  if (job.elsewhere || !full[job.queue]) return "";
  const [number, ...ids] = full[job.queue];
  return `slots taken: ${named(ids, number)}`;
}

function named(ids, number) {
  const more = number - ids.length;
  if (!ids.length) return count(number, "job");
  return `job ${ids.join(", job ")}${more > 0 ? ` and ${more.toLocaleString("en")} more` : ""}`;
}

export function isOverdue(job, now) {
  return job.state === "running" && Boolean(job.usual && job.usual[1]) && now > job.usual[1];
}

// How long such jobs usually run, while the job has not ended.
export function usually(job) {
  return isLive(job) && job.usual ? job.usual[0] : "";
}

// The state in a row, where there is room for one word.
export function stateWords(job, now) {
  return isOverdue(job, now) ? status(job).replace(/^running/, "overdue") : status(job);
}

// What stands beside the state on a card and in the details.
export function reasonWords(job, held) {
  return [waits(job, held), usually(job)].filter(Boolean).join(" · ");
}

// All of it, as the title of a row's state.
export function described(job, held, now) {
  const overdue = isOverdue(job, now) ? "overdue" : "";
  return [status(job), overdue, reasonWords(job, held)].filter(Boolean).join(" · ");
}

export function pausedWords(queues) {
  if (!queues.length) return "";
  const [last, others] = [queues.at(-1), queues.slice(0, -1)];
  return others.length ? `Queues ${others.join(", ")} and ${last} are paused.` : `Queue ${last} is paused.`;
}
