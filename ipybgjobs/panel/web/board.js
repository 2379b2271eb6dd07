// The common base of the panel and the card: jobs, commands and status messages; it works only while visible.

import { element, NO_SHORTCUTS, setAttribute, setText } from "./elements.js";
import { Jobs } from "./jobs.js";
import { Link } from "./link.js";
import { clock, count, isLive } from "./text.js";

const OLD = 10000; // milliseconds after which the result of a click is no longer shown
const MOST_NAMED = 4; // jobs that are named when the other side does not answer
const STALE = 3; // seconds after which initial content is not shown before the other side has been heard

const DOING = { cancel: "cancelling…", retry: "retrying…", remove: "removing…", priority: "changing…" };

export class Board {
  constructor(root, transport, first) {
    this.root = root;
    this.id = first.only; // of a card
    this.saidOk = true;
    this.offset = 0; // seconds by which the other side's clock is ahead
    this.now = () => Date.now() / 1000 + this.offset;
    this.jobs = new Jobs(this.now);
    this.changed = new Set();
    this.status = element("div", { class: "b-status", role: "status" });
    this.link = new Link(transport, (message) => this.take(message));
    this.build();
    this.firstAt = first.now;
    this.take(first);
    this.begins = true; // with what was known when it was displayed, until the other side has told this view more
    Object.assign(this.link, { seq: first.seq, whole: Boolean(first.whole), oldest: first.oldest });
    this.watch();
  }

  // Work only while visible.
  watch() {
    this.watcher = new IntersectionObserver((seen) => this.see(seen.at(-1).isIntersecting));
    this.watcher.observe(this.root);
    this.onVisibility = () => this.see(this.intersects);
    document.addEventListener("visibilitychange", this.onVisibility);
    this.timer = setInterval(() => this.link.visible && !this.isCutOff && this.tick(), 1000);
    this.onKey = (event) => this.keep(event);
    this.root.addEventListener("keydown", this.onKey);
    this.onFirst = (event) => this.letThrough(event);
    window.addEventListener("keydown", this.onFirst, true);
  }

  see(intersects) {
    this.intersects = intersects;
    const visible = intersects && document.visibilityState === "visible";
    if (visible !== this.link.visible) this.link.look({ visible });
    if (visible) this.draw();
  }

  // A key pressed here is not a shortcut of the notebook: `d d` would delete the cell. Escape leaves, Ctrl+S saves.
  keep(event) {
    if (isSave(event)) return;
    event.stopPropagation();
    const empties = event.target.type === "search" && event.target.value; // the browser clears the field
    if (event.key === "Escape" && !empties) this.leave();
  }

  // Move the focus to the enclosing notebook cell, whose shortcuts then work.
  leave() {
    const around = this.root.parentElement?.closest("[tabindex]");
    if (around) around.focus();
    else document.activeElement.blur();
  }

  // The applications check the focused element before the key arrives here; for saving, its mark is removed.
  letThrough(event) {
    const { target } = event;
    if (!isSave(event) || !this.root.contains(target) || !target.hasAttribute(NO_SHORTCUTS)) return;
    target.removeAttribute(NO_SHORTCUTS);
    setTimeout(() => target.setAttribute(NO_SHORTCUTS, "true"));
  }

  take(message) {
    if (message.now) Object.assign(this, { offset: message.now - Date.now() / 1000, at: message.now });
    if (message.kind === "link") this.say();
    else if (message.kind === "trouble") this.sayTrouble(message.text);
    else if (message.kind === "stale") this.sayTrouble(`This page and the ${this.link.transport.other} have different versions of ipybgjobs: reload the page.`);
    else if (["detail", "log", "outputs", "lines", "piece"].includes(message.kind)) this.detail.take(message);
    else if (["rows", "older", "delta"].includes(message.kind)) this.takeJobs(message);
  }

  takeJobs(message) {
    if (message.view !== undefined) this.begins = false;
    if (message.kind === "rows" && this.jobs.all.size) this.jobs.clear();
    if (message.kind === "delta") this.tally(message);
    const ids = this.jobs.take(message.rows || []);
    this.jobs.takeProgress(message.progress || []);
    this.jobs.takeValues(message.values || []);
    this.jobs.drop(message.gone || []);
    this.jobs.trim(this.most || Infinity);
    if (message.kind === "rows" && message.counts) this.jobs.stored = { ...message.counts };
    if (message.whole) this.jobs.stored = null;
    for (const key of ["count", "most"]) if (message[key] !== undefined) this[key] = message[key];
    if (message.trouble !== undefined) this.trouble = message.trouble;
    else if (message.kind === "rows") this.trouble = null;
    for (const id of this.jobs.hold(message)) this.changed.add(id);
    this.around(message);
    for (const id of ids) this.changed.add(id);
    for (const [id] of [...(message.progress || []), ...(message.values || [])]) this.changed.add(id);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  // Count all jobs, including those that are too old to be held.
  tally({ rows = [], gone = [] }) {
    const { newest } = this.jobs;
    this.count += rows.filter(([id]) => id > newest).length - gone.filter((id) => id <= newest).length;
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const changed = [...this.changed];
    this.changed.clear();
    this.drawJobs(changed);
    const opened = this.jobs.all.get(this.link.opened);
    if (opened) this.detail.fill(opened);
    this.say();
  }

  // Whether what is known is old, as that of a page that was opened again, and newer content is on its way.
  get loads() {
    return this.begins && this.link.state === "live" && Math.abs(Date.now() / 1000 - this.firstAt) > STALE;
  }

  // Act on jobs: show at once that the click was received, then its result.
  async act(verb, ids, options = {}) {
    this.ask(ids, DOING[verb]);
    this.say(`${DOING[verb]} ${count(ids.length, "job")}`);
    const { ok, text } = await this.link.command(verb, { jobs: ids, ...options });
    this.ask(ids, null);
    this.say(text, ok);
  }

  // Show a problem until the store can be read again.
  sayTrouble(text) {
    this.trouble = text;
    this.say();
  }

  // Show the result of a click.
  say(text, ok = true) {
    if (text !== undefined) this.sayForAWhile(text, ok);
    const waits = this.link.state === "waiting";
    const words = waits ? this.waiting() : this.loads ? this.rest() && "Loading…" : this.trouble || this.said || this.rest();
    setText(this.status, words);
    setAttribute(this.status, "data-kind", waits ? "waiting" : this.trouble || !this.saidOk ? "bad" : null);
    setAttribute(this.root, "data-link", this.link.state);
    setAttribute(this.root, "data-loads", this.loads ? "true" : null);
  }

  sayForAWhile(text, ok) {
    Object.assign(this, { said: text, saidOk: ok });
    clearTimeout(this.saying);
    if (ok) this.saying = setTimeout(() => this.say("", true), OLD);
  }

  // Whether nothing arrives: what is shown is as of the last update, and no time is counted.
  get isCutOff() {
    return this.link.state === "waiting" && !(this.at > this.link.waitsSince / 1000 + this.offset);
  }

  // How to cancel from elsewhere what may still be running.
  terminal() {
    const { running, queued, retrying } = this.jobs.totals, live = running + queued + retrying;
    const ids = live && live <= MOST_NAMED ? [...this.jobs.all.values()].filter(isLive).map(({ id }) => id) : ["JOB"];
    return live ? `In a terminal: jupyter bgjobs cancel ${ids.join(" ")}` : "";
  }

  // A kernel that sends but does not receive is running a cell, or was restarted elsewhere: the page then calls the old one.
  waiting() {
    const { other } = this.link.transport;
    const restarted = "After a restart, save the notebook and load the extension: %load_ext ipybgjobs";
    const hint = other === "server" ? "To restart it: jupyter bgjobs dashboard" : [restarted, this.terminal()].filter(Boolean).join(" · ");
    if (!this.isCutOff) return `The ${other} is not responding: it is busy, or it was restarted (then reload this page). ${hint}`;
    return `Waiting for the ${other}, which is busy or gone. Last update: ${clock(this.at)}. ${hint}`;
  }

  close() {
    this.link.close();
    this.watcher.disconnect();
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.root.removeEventListener("keydown", this.onKey);
    window.removeEventListener("keydown", this.onFirst, true);
    clearTimeout(this.saying);
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    this.root.replaceChildren();
  }
}

function isSave(event) {
  return (event.ctrlKey || event.metaKey) && event.key === "s";
}
