// The button that retries a finished job, or starts the next attempt of a retrying one now.

import { relabel, setText, show } from "./elements.js";

export function fillRetry(node, job, what) {
  const now = job.state === "retrying";
  show(node, now || job.state === "failed" || job.state === "cancelled");
  relabel(node, now ? `Retry ${what} now` : `Retry ${what}`);
  const text = node.querySelector("span");
  if (text) setText(text, now ? "Retry now" : "Retry");
}
