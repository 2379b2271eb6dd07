// The talk with `panel/session.py`: says that somebody looks, asks for things, and knows whether it is heard.

const HEARD = 500; // milliseconds without an answer until the panel says that it waits
const AGAIN = 20000; // between two signs of life

export class Link {
  // `transport` has send(message) and listen(function); `told` is given what is said to the panel.
  constructor(transport, told) {
    this.transport = transport;
    this.told = told;
    this.view = Math.random().toString(36).slice(2, 12);
    this.commands = new Map();
    this.number = 0;
    this.seq = null;
    this.whole = false;
    this.visible = false;
    this.opened = null;
    this.state = "live";
    this.stop = transport.listen((message) => this.take(message));
    this.timer = setInterval(() => this.visible && this.look(), AGAIN);
  }

  // Say who looks, and at what.
  look(changes = {}) {
    Object.assign(this, changes);
    const { view, visible, opened, seq, whole } = this;
    this.send({ kind: "look", view, visible, open: opened, seq, whole });
    if (!this.waits) this.waits = setTimeout(() => this.wait(), HEARD);
  }

  send(message) {
    try {
      this.transport.send(message);
    } catch {
      this.wait(); // the comm is closed
    }
  }

  wait() {
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

  // Ask for something; the promise gives what came of it, and `heard` is called when the other side has it.
  command(verb, options) {
    const cid = `${this.view}-${++this.number}`;
    this.send({ kind: "command", cid, verb, ...options });
    const timer = setTimeout(() => this.wait(), HEARD);
    return new Promise((done) => this.commands.set(cid, { done, timer }));
  }

  take(message) {
    if (message.kind === "here") {
      if (message.view === this.view) this.heard();
      return;
    }
    if (message.kind === "heard" || message.kind === "answer") this.answer(message);
    if (!this.isNext(message)) return;
    if (message.seq !== undefined) this.seq = message.seq;
    if (message.kind === "rows") this.whole = Boolean(message.whole);
    if (message.kind === "older" && message.whole) this.whole = true;
    this.told(message);
  }

  // Whether nothing is missing between what is known and a message; where something is, all is asked for.
  isNext(message) {
    const gap = message.lost || (message.base !== undefined && this.seq !== null && message.base > this.seq);
    if (gap) this.look({ whole: false });
    return !gap;
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

  close() {
    this.visible = false;
    this.send({ kind: "leave", view: this.view });
    clearInterval(this.timer);
    clearTimeout(this.waits);
    for (const { timer } of this.commands.values()) clearTimeout(timer);
    this.stop();
  }
}
