// Above the table: the number of jobs in each state, the filters, and the actions on selected jobs.

import { button, element, icon, relabel, setAttribute, setText, show } from "./elements.js";
import { PHASES } from "./jobs.js";
import { pausedWords } from "./waiting.js";

export class Toolbar {
  constructor(jobs, { act, filters, queueAct }) {
    Object.assign(this, { jobs, act, filters });
    this.node = this.build(queueAct);
  }

  build(queueAct) {
    this.phases = new Map(PHASES.map((name) => [name, this.phase(name)]));
    this.queue = element("select", { class: "b-select", "aria-label": "Queue", onchange: () => this.filter() });
    this.text = element("input", { type: "search", class: "b-search", placeholder: "Filter", "aria-label": "Filter by text", oninput: () => this.filter() });
    this.pause = button("", { icon: "pause", press: () => queueAct(this.isPaused() ? "resume" : "pause", this.queue.value) });
    const first = element("div", { class: "b-bar-of" },
      element("div", { class: "b-phases", role: "group", "aria-label": "States" }, ...[...this.phases.values()].map(({ node }) => node)),
      element("span", { class: "b-space" }), this.queue, this.pause, this.text);
    this.notes = element("span");
    this.held = element("p", { class: "b-held" }, icon("pause"), this.notes);
    return element("div", { class: "b-toolbar" }, first, (this.chosen = this.buildChosen()), this.held);
  }

  phase(name) {
    const number = element("b");
    const node = element("button", { type: "button", class: "b-phase", "aria-pressed": "false", "data-phase": name, onclick: () => this.press(name) },
      element("span", { class: "b-dot", "aria-hidden": "true" }), number, ` ${name}`);
    return { node, number };
  }

  buildChosen() {
    this.many = element("span");
    this.priority = element("input", { type: "number", step: 1, value: 0, required: true, class: "b-number", "aria-label": "Priority of the selected jobs" });
    return element("div", { class: "b-bar-of b-chosen", role: "group", "aria-label": "Selected jobs" }, this.many,
      button("Cancel the selected jobs", { icon: "cancel", text: "Cancel", press: () => this.act("cancel") }),
      button("Retry the selected jobs", { icon: "retry", text: "Retry", press: () => this.act("retry") }),
      button("Remove the selected jobs", { icon: "remove", text: "Remove", press: () => this.act("remove") }),
      element("form", { class: "b-form", onsubmit: (event) => this.setPriority(event) },
        element("label", {}, "Priority ", this.priority), element("button", { type: "submit", class: "b-button" }, "Set")),
      button("Select none", { text: "None", press: () => this.act("none") }));
  }

  setPriority(event) {
    event.preventDefault();
    this.act("priority", { to: Number(this.priority.value) });
  }

  press(name) {
    const { phases } = this.jobs.filter;
    if (!phases.delete(name)) phases.add(name);
    setAttribute(this.phases.get(name).node, "aria-pressed", phases.has(name));
    this.filters();
  }

  filter() {
    Object.assign(this.jobs.filter, { queue: this.queue.value, text: this.text.value.trim().toLowerCase() });
    this.filters();
  }

  get paused() {
    return this.jobs.held.paused;
  }

  isPaused() {
    return this.queue.value ? this.paused.includes(this.queue.value) : this.paused.length > 0;
  }

  // `selected` is the number of selected jobs that are visible, `all` includes those that the filter hides.
  fill(selected = 0, all = 0) {
    for (const [name, { node, number }] of this.phases) {
      setText(number, this.jobs.counts[name].toLocaleString("en"));
      show(node, this.jobs.counts[name] > 0 || this.jobs.filter.phases.has(name));
    }
    this.fillQueues();
    const [paused, queue] = [this.isPaused(), this.queue.value];
    relabel(this.pause, `${paused ? "Resume" : "Pause"} ${queue ? `queue ${queue}` : "all queues"}`);
    if (this.pause.dataset.icon !== String(paused)) this.pause.replaceChildren(icon(paused ? "resume" : "pause"));
    this.pause.dataset.icon = paused;
    const notes = [pausedWords(this.paused), this.notice].filter(Boolean);
    setText(this.notes, notes.join(" "));
    show(this.held, notes.length > 0);
    show(this.chosen, all > 0);
    const hidden = all - selected;
    setText(this.many, `${selected.toLocaleString("en")} selected${hidden ? `, ${hidden.toLocaleString("en")} more not shown` : ""}`);
  }

  fillQueues() {
    const chosen = this.queue.value;
    const names = ["", ...[...new Set([...this.jobs.queues.keys(), ...this.paused, ...(chosen ? [chosen] : [])])].sort()];
    const key = names.join("\n");
    if (this.queue.dataset.names === key) return;
    this.queue.dataset.names = key;
    this.queue.replaceChildren(...names.map((name) => element("option", { value: name }, name || "all queues")));
    this.queue.value = chosen;
  }
}
