// The conversation with `panel/session.py`: reports what is visible, sends requests, and knows whether they are received.

const VERSION = 2; // of the messages, as in `panel/session.py`: a page may be older or newer than the other side
const HEARD = 500; // milliseconds without an answer to a click until the panel shows that it is waiting
const LOOKED = 5000; // the same without a click: the first answer of a kernel takes a while
const AGAIN = 10000; // milliseconds between two signs of life

export class Link {
  // `transport` has send(message), listen(function) and the name of the other side; `told` is called with messages to the panel.
  constructor(transport, told) {
    this.transport = transport;
    this.told = told;
    this.view = Math.random().toString(36).slice(2, 12);
    this.commands = new Map();
    this.number = 0;
    this.seq = null;
    this.whole = false;
    this.oldest = null; // the last of the rows that arrive in parts
    this.begun = false; // whether they have begun to arrive
    this.visible = false;
    this.opened = null;
    this.state = "live";
    this.stop = transport.listen((message) => this.take(message));
    this.timer = setInterval(() => this.visible && this.look(), AGAIN);
  }

  // Report what is visible, in which view, and which rows it has; `gap`: of those that arrive in parts, some did not.
  look(changes = {}, gap = false) {
    Object.assign(this, changes);
    const { view, visible, opened, seq, whole } = this;
    this.send({ kind: "look", view, visible, open: opened, seq, whole, oldest: this.begun ? this.oldest : null, gap });
    if (!this.waits) this.waits = setTimeout(() => this.wait(), LOOKED);
  }

  send(message) {
    try {
      this.transport.send({ ...message, version: VERSION });
      return true;
    } catch {
      this.wait(); // the comm is closed
      return false;
    }
  }

  wait() {
    if (this.state !== "waiting") this.waitsSince = Date.now();
    this.state = "waiting";
    this.told({ kind: "link" });
  }

  heard() {
    clearTimeout(this.waits);
    this.waits = null;
    if (this.state === "live") return;
    this.state = "live";
    this.told({ kind: "link" });
  }

  // Send a command; the promise resolves to its result, and `heard` is called when the other side has received it.
  command(verb, options) {
    const cid = `${this.view}-${++this.number}`;
    const sent = this.send({ kind: "command", cid, verb, ...options });
    if (!sent) return Promise.resolve({ ok: false, text: "Not connected: the request was not sent." });
    const timer = setTimeout(() => this.wait(), HEARD);
    return new Promise((done) => this.commands.set(cid, { done, timer }));
  }

  take(message) {
    if (message.version !== VERSION) return this.refuse();
    if (message.kind === "here") {
      if (message.view !== this.view) return;
      this.heard();
      this.told({ kind: "clock", now: message.now, heard: message.heard });
      return;
    }
    if (message.view !== undefined && message.view !== this.view) return; // for another view of the same panel
    if (message.kind === "heard" || message.kind === "answer") this.answer(message);
    if (!this.isNext(message)) return;
    if (message.seq !== undefined) this.seq = message.seq;
    if (message.kind === "rows") Object.assign(this, { whole: Boolean(message.whole), oldest: message.oldest, begun: true });
    if (message.kind === "older") this.older(message);
    this.told(message);
  }

  // The other side was upgraded since this page was opened: nothing that it says can be trusted to be understood.
  refuse() {
    if (this.stale) return;
    this.stale = true;
    this.lost("Nothing was done.");
    this.told({ kind: "stale", version: VERSION });
  }

  older({ rows, whole }) {
    if (whole) this.whole = true;
    if (rows.length) this.oldest = Math.min(this.oldest, rows.at(-1)[0]); // a part may arrive twice
  }

  // Return whether a message follows the known state without a gap; if a change is missing, request everything.
  isNext(message) {
    const missed = message.base !== undefined && this.seq !== null && message.base > this.seq;
    const gap = message.kind === "older" && message.before < this.oldest;
    if (message.lost || missed) this.look({ whole: false, begun: false });
    else if (gap) this.look({ whole: false }, true);
    return !message.lost && !missed && !gap;
  }

  answer({ kind, cid, ok, text }) {
    const command = this.commands.get(cid);
    if (!command) return;
    clearTimeout(command.timer);
    this.heard();
    if (kind === "heard") return;
    this.commands.delete(cid);
    command.done({ ok, text });
  }

  // The connection was lost: earlier requests will not be answered.
  lost(text) {
    for (const { done, timer } of this.commands.values()) {
      clearTimeout(timer);
      done({ ok: false, text });
    }
    this.commands.clear();
  }

  close() {
    this.visible = false;
    this.send({ kind: "leave", view: this.view });
    clearInterval(this.timer);
    clearTimeout(this.waits);
    for (const { timer } of this.commands.values()) clearTimeout(timer);
    this.stop();
  }
}
