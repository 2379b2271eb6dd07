// Numbers, times and states for users, in the same words as the command line.

const UNITS = [["d", 86400, "h", 3600], ["h", 3600, "m", 60], ["m", 60, "s", 1]];

export function duration(seconds) {
  if (seconds >= 0.0005 && seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  for (const [unit, size, smaller, step] of UNITS) {
    if (whole < size) continue;
    const rest = Math.floor((whole % size) / step);
    return rest ? `${Math.floor(whole / size)} ${unit} ${rest} ${smaller}` : `${Math.floor(whole / size)} ${unit}`;
  }
  return `${whole} s`;
}

// For running jobs: whole seconds, so that it ticks evenly.
export function ticking(seconds) {
  return seconds < 60 ? `${Math.floor(Math.max(0, seconds))} s` : duration(Math.floor(seconds));
}

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value.toFixed(unit === 0 || value >= 9.95 ? 0 : 1)} ${units[unit]}`;
}

export function clock(moment) {
  const date = new Date(moment * 1000);
  const time = date.toTimeString().slice(0, 8);
  return date.toDateString() === new Date().toDateString() ? time : `${day(date)} ${time.slice(0, 5)}`;
}

function day(date) {
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function count(number, noun) {
  return number === 1 ? `1 ${noun}` : `${number.toLocaleString("en")} ${noun}s`;
}

export const STATES = ["running", "queued", "retrying", "failed", "succeeded", "cancelled"];

// The state of a job, as the filters name it.
export function phase(job) {
  return job.state;
}

export function isWaiting(job) {
  return job.state === "queued" || job.state === "retrying";
}

export function isLive(job) {
  return job.state === "running" || isWaiting(job);
}

export function status(job) {
  const where = job.elsewhere ? ` on ${job.elsewhere}` : "";
  if (phase(job) === "retrying") return `retrying, ${job.attempt + 1} of ${job.allowed}${where}`;
  return (job.attempt > 1 && !isWaiting(job) ? `${job.state}, ${job.attempt} of ${job.allowed}` : job.state) + where;
}

export function elapsed(job, now) {
  if (!job.started) return "";
  return job.ended ? duration(Math.max(0, job.ended - job.started)) : ticking(now - job.started);
}

// A call without `__main__`, the module of what a notebook defines.
export function withoutMain(call) {
  return call.replace(/^__main__\./, "");
}

// What a card says of a job: its name, and its call unless the name says the same.
export function titleOf(job) {
  const call = withoutMain(job.call);
  if (!job.name || job.call.startsWith(job.name) || call.startsWith(job.name)) return call;
  return job.whole?.startsWith("ipybgjobs.Cell.") ? job.name : `${job.name} · ${call}`;
}

// The progress of a job: share, remaining time, rate.
export function far(progress) {
  const words = [];
  if (progress.share !== null) words.push(`${Math.round(progress.share * 100)} %`);
  else if (progress.done) words.push(`${progress.done.toLocaleString("en")}${progress.unit ? ` ${progress.unit}` : ""}`);
  if (progress.left) words.push(`${duration(progress.left)} left`);
  if (progress.rate && progress.unit) words.push(`${Number(progress.rate.toPrecision(3))} ${progress.unit}/s`);
  return words.join(" · ");
}
