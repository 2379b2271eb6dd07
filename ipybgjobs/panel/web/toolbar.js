// Above the table: the number of jobs in each state, and the filters; and laid over its header, the actions on selected jobs.

import { button, element, icon, relabel, setAttribute, setText, show } from "./elements.js";
import { STATES } from "./text.js";

const SINCE = [[0, "any time"], [3600, "last hour"], [86400, "last 24 hours"], [604800, "last 7 days"]];
const HINT = "Filter: text queue:gpu group:8 notebook:day.ipynb since:2h";
const TYPED = "Text of a job, or: queue:gpu, group:8 or its name, notebook:cells.ipynb, state:failed, since:2h (30m, 3d, 14:00, 2026-11-27)";

export class Toolbar {
  constructor(jobs, { act, filters, queueAct }) {
    Object.assign(this, { jobs, act, filters });
    this.node = this.build(queueAct);
  }

  build(queueAct) {
    this.phases = new Map(STATES.map((name) => [name, this.phase(name)]));
    const choice = (label, options = []) => element("select", { class: "b-select", "aria-label": label, onchange: () => this.filter() }, ...options);
    this.queue = choice("Queue");
    this.notebook = choice("Notebook");
    this.span = choice("Submitted", SINCE.map(([span, words]) => element("option", { value: span }, words)));
    this.text = element("input", {
      type: "search", class: "b-search", placeholder: HINT, title: TYPED, "aria-label": "Filter by text", oninput: () => this.filter(),
    });
    this.pause = button("", { icon: "pause", press: () => queueAct(this.isPaused() ? "resume" : "pause", this.queue.value) });
    const chips = element("div", { class: "b-phases", role: "group", "aria-label": "States" }, ...[...this.phases.values()].map(({ node }) => node));
    const filters = element("div", { class: "b-bar-of b-filters" }, this.pause, this.queue, this.notebook, this.span, this.text);
    this.chosen = this.buildChosen();
    this.states = element("div", { class: "b-bar-of b-states" }, chips);
    return element("div", { class: "b-toolbar" }, this.states, filters);
  }

  phase(name) {
    const number = element("b");
    const node = element("button", { type: "button", class: "b-phase", "aria-pressed": "false", "data-phase": name, title: name, onclick: () => this.press(name) },
      element("span", { class: "b-dot", "aria-hidden": "true" }), number, element("span", { class: "b-word" }, ` ${name}`));
    return { node, number };
  }

  buildChosen() {
    this.many = element("span", { class: "b-many" });
    this.priority = element("input", { type: "number", step: 1, value: 0, required: true, class: "b-number", "aria-label": "Priority of the selected jobs" });
    const act = (verb) => (event) => this.act(verb, {}, event.currentTarget);
    this.verbs = [
      button("Cancel the selected jobs", { icon: "cancel", text: "Cancel", press: act("cancel") }),
      button("Retry the selected jobs", { icon: "retry", text: "Retry", press: act("retry") }),
      button("Remove the selected jobs", { icon: "remove", text: "Remove", press: act("remove") }),
      element("button", { type: "submit", class: "b-button", title: "Set the priority of the selected jobs" }, element("span", {}, "Set priority")),
    ];
    const setter = element("form", { class: "b-form", onsubmit: (event) => this.setPriority(event) }, this.priority, this.verbs[3]);
    return element("div", { class: "b-bar-of b-chosen", role: "group", "aria-label": "Selected jobs" }, this.many, ...this.verbs.slice(0, 3), setter,
      element("span", { class: "b-space" }), button("Clear selection", { icon: "close", text: "Clear selection", class: "b-button b-clear", press: () => this.act("none") }));
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
    const { filter } = this.jobs;
    Object.assign(filter, { queue: this.queue.value, notebook: this.notebook.value, span: Number(this.span.value) });
    filter.type(this.text.value, this.jobs.clock());
    this.text.title = filter.fault || TYPED;
    setAttribute(this.text, "aria-invalid", filter.fault ? "true" : null);
    this.filters();
  }

  get paused() {
    return this.jobs.held.paused;
  }

  isPaused() {
    return this.queue.value ? this.paused.includes(this.queue.value) : this.paused.length > 0;
  }

  // `chosen` are the selected jobs to act on, of which `unseen` are no longer shown; `hidden` is the number of those that a filter hides.
  fill({ chosen, unseen, hidden }) {
    for (const name of STATES) this.fillPhase(name);
    show(this.states, [...this.phases.values()].some(({ node }) => !node.hidden));
    fillOptions(this.queue, [...this.jobs.queues.keys(), ...this.paused], "all queues");
    fillOptions(this.notebook, [...this.jobs.notebooks.keys()], "all notebooks");
    show(this.notebook, this.jobs.notebooks.size > 0);
    this.fillPause();
    show(this.chosen, chosen + hidden > 0);
    const notes = [unseen ? `${unseen === chosen ? "" : `${unseen.toLocaleString("en")} `}no longer shown` : "", hidden ? `${hidden.toLocaleString("en")} more not shown` : ""];
    const words = [`${chosen.toLocaleString("en")} selected`, ...notes.filter(Boolean)].join(", ");
    setText(this.many, words);
    setAttribute(this.many, "title", words);
    for (const verb of this.verbs) verb.disabled = !chosen;
  }

  // How many jobs a state would show; it stays where it is while a filter hides all of them.
  fillPhase(name) {
    const { node, number } = this.phases.get(name);
    const [left, total] = this.jobs.countsOf(name);
    setText(number, left.toLocaleString("en"));
    setAttribute(node, "title", left === total ? name : `${name}: ${left.toLocaleString("en")} of ${total.toLocaleString("en")} pass the other filters`);
    show(node, total > 0 || this.jobs.filter.phases.has(name));
  }

  fillPause() {
    const [paused, queue] = [this.isPaused(), this.queue.value];
    relabel(this.pause, `${paused ? "Resume" : "Pause"} ${queue ? `queue ${queue}` : "all queues"}`);
    if (this.pause.dataset.icon !== String(paused)) this.pause.replaceChildren(icon(paused ? "resume" : "pause"));
    this.pause.dataset.icon = paused;
  }
}

// The choices of a filter: all, or one of these.
function fillOptions(node, names, all) {
  const chosen = node.value;
  const values = ["", ...[...new Set([...names, ...(chosen ? [chosen] : [])])].sort()];
  const key = values.join("\n");
  if (node.dataset.names === key) return;
  node.dataset.names = key;
  node.replaceChildren(...values.map((name) => element("option", { value: name }, name || all)));
  node.value = chosen;
}
