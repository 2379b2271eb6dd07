// The entry point of the invisible widget that draws the saved cards of a reopened notebook live again; see `panel/revival.py`.

import { mount } from "./mount.js";

const STATIC = "[data-bgjobs-of]";
const NOTEBOOK = ".jp-Notebook, .jp-NotebookPanel, .notebook";
const TAKEN = "ipybgjobs-taken"; // told to a static form: another draws it now, for example for the next kernel

class Revival {
  constructor(model, el) {
    Object.assign(this, { model, el });
    this.views = new Map(); // by key
    this.tried = new WeakSet();
    this.number = 0;
    this.prefix = Math.random().toString(36).slice(2, 8);
    this.onMessage = (content) => this.take(content);
    model.on("msg:custom", this.onMessage);
    this.observer = new MutationObserver(() => (this.root ? this.findSoon() : this.begin())); // cells are drawn as they come into view
    this.begin();
  }

  // Begin once the output is in its notebook: it may be drawn before it is put there, and another notebook is not to be touched.
  begin() {
    const { el, observer } = this;
    this.root = el.isConnected ? el.closest(NOTEBOOK) || (document.querySelector(NOTEBOOK) ? null : document.body) : null;
    observer.disconnect();
    if (this.root || !el.isConnected) observer.observe(this.root || document.body, { childList: true, subtree: true });
    if (this.root) this.find();
  }

  findSoon() {
    this.frame ??= requestAnimationFrame(() => this.find());
  }

  find() {
    this.frame = null;
    for (const node of this.root.querySelectorAll(STATIC)) {
      if (this.tried.has(node)) continue;
      this.tried.add(node);
      const key = `${this.prefix}-${++this.number}`;
      this.views.set(key, { node, listeners: new Set() });
      if (!this.send({ key, of: node.dataset.bgjobsOf, id: node.dataset.bgjobs })) return;
    }
  }

  // Send a message; to a kernel that is gone no more are sent, and another widget draws what is found from then on.
  send(message) {
    try {
      this.model.send(message);
      return true;
    } catch {
      this.observer.disconnect();
      return false;
    }
  }

  take({ key, first, message, gone }) {
    const view = this.views.get(key);
    if (!view) return;
    if (first) this.draw(key, view, first);
    else if (gone) this.showStatic(key);
    else for (const listener of view.listeners) listener(message);
  }

  draw(key, view, first) {
    const { node, listeners } = this.claim(key, view);
    view.drawn = document.createElement("div");
    view.drawn.style.width = widthIn(node);
    node.after(view.drawn);
    node.style.display = "none";
    const transport = {
      other: "kernel",
      send: (message) => this.model.send({ key, message }),
      listen(take) {
        listeners.add(take);
        return () => listeners.delete(take);
      },
    };
    view.board = mount(view.drawn, transport, first);
    if (node.textContent.includes("as of")) view.board.heard = 0.001; // its job had not finished: it may have displayed more since
  }

  // Take the place of whatever shows what this static form does: a form is seen once, static or live.
  claim(key, view) {
    const { node } = view;
    node.dispatchEvent(new Event(TAKEN));
    for (const each of staleAfter(node)) each.style.display = "none";
    view.onTaken = () => this.leave(key);
    node.addEventListener(TAKEN, view.onTaken);
    return view;
  }

  // What it showed was removed, or is in another store: what was saved of it is all that there is.
  showStatic(key) {
    const { node } = this.claim(key, this.views.get(key));
    node.style.display = "block"; // also where the widget of a kernel that is gone hides it
  }

  leave(key) {
    const { node, board, drawn, onTaken } = this.views.get(key);
    this.views.delete(key);
    node.removeEventListener(TAKEN, onTaken);
    if (!board) return;
    board.close();
    drawn.remove();
    node.style.display = "block";
    this.send({ key, close: true });
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    for (const key of [...this.views.keys()]) this.leave(key);
  }
}

// As wide as a widget is: JupyterLab leaves a margin beside markup.
function widthIn(node) {
  const markup = node.closest(".jp-RenderedHTMLCommon");
  return markup ? `calc(100% + ${getComputedStyle(markup).paddingRight})` : "";
}

// The output of the widget that a static form had below it: a message that it is not there, or a view of a kernel that is gone.
function staleAfter(node) {
  const next = node.closest(".jp-OutputArea-child")?.nextElementSibling;
  return next && (next.querySelector(".ipybgjobs, .jp-OutputWidget, .jupyter-widgets") || /widget/i.test(next.textContent)) ? [next] : [];
}

export default {
  render({ model, el }) {
    const revival = new Revival(model, el);
    return () => revival.close();
  },
};
