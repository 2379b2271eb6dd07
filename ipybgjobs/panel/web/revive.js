// The entry point of the invisible widget that draws the saved cards of a reopened notebook live again; see `panel/revival.py`.

import { mount } from "./mount.js";

const STATIC = "[data-bgjobs-of]";

class Revival {
  constructor(model, el) {
    this.model = model;
    this.root = el.closest(".jp-Notebook, .jp-NotebookPanel, .notebook") || document.body;
    this.views = new Map(); // by key
    this.tried = new WeakSet();
    this.number = 0;
    this.prefix = Math.random().toString(36).slice(2, 8);
    this.onMessage = (content) => this.take(content);
    model.on("msg:custom", this.onMessage);
    this.observer = new MutationObserver(() => this.findSoon()); // cells are drawn as they come into view
    this.observer.observe(this.root, { childList: true, subtree: true });
    this.find();
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
      this.model.send({ key, of: node.dataset.bgjobsOf, id: node.dataset.bgjobs });
    }
  }

  take({ key, first, message }) {
    const view = this.views.get(key);
    if (!view) return;
    if (first) this.draw(key, view, first);
    else for (const listener of view.listeners) listener(message);
  }

  draw(key, view, first) {
    const { node, listeners } = view;
    view.drawn = document.createElement("div");
    view.stale = staleAfter(node);
    node.after(view.drawn);
    for (const each of [node, ...view.stale]) each.style.display = "none";
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

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    for (const [key, { node, board, drawn, stale }] of this.views) {
      this.model.send({ key, close: true });
      if (!board) continue;
      board.close();
      drawn.remove();
      for (const each of [node, ...stale]) each.style.display = "";
    }
  }
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
