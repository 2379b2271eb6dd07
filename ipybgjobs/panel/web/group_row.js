// The row of a group in the table: its name, a bar and the number of its jobs in each state; it folds and unfolds.

import { codeOf } from "./call.js";
import { button, element, relabel, setAttribute, setText, show } from "./elements.js";
import { partsOf } from "./groups.js";
import { lengthOf } from "./row.js";
import { isLive } from "./text.js";

const BAR = ["succeeded", "failed", "cancelled", "running", "retrying", "queued"]; // from the left
const WORDS = ["failed", "retrying", "running", "queued", "cancelled", "succeeded"]; // what calls for action comes first
const GROUP_CELLS = ["check", "id", "job", "counts", "actions"];

export class GroupRow {
  constructor(key, table) {
    Object.assign(this, { key, table });
    this.cells = Object.fromEntries(GROUP_CELLS.map((name) => [name, element("div", { role: "gridcell", class: `b-cell b-of-${name}` })]));
    this.node = element("div", {
      role: "row", class: "b-row b-group-row", id: table.idOf(key), "aria-level": 1,
      onclick: (event) => table.point(key, event), ondblclick: () => this.fold(),
    }, ...Object.values(this.cells));
    this.cells.check.append(element("span", { class: "b-box", onclick: (event) => this.check(event) }));
    this.folder = button("", { icon: "open", tabindex: -1, class: "b-button b-fold", press: () => this.fold() });
    this.cells.id.append(this.folder);
    this.name = element("span", { class: "b-name" });
    this.code = element("span", { class: "b-code" });
    this.cells.job.append(this.name, this.code);
    this.bar = element("span", { class: "b-shares", "aria-hidden": "true" }, ...BAR.map((name) => element("span", { "data-phase": name })));
    this.words = element("span", { class: "b-words" });
    this.cells.counts.append(this.bar, this.words);
    this.buildActions();
  }

  buildActions() {
    const press = (verb) => (event) => this.table.act(verb, this.idsFor(verb), event.currentTarget);
    this.cancel = button("", { icon: "cancel", tabindex: -1, press: press("cancel") });
    this.retry = button("", { icon: "retry", tabindex: -1, press: press("retry") });
    this.cells.actions.append(this.cancel, this.retry);
  }

  // The jobs of the group that are shown and that a button is for.
  idsFor(verb) {
    const { all } = this.table.jobs;
    const fits = verb === "cancel" ? isLive : (job) => !isLive(job) && job.state !== "succeeded";
    return this.group.ids.filter((id) => all.has(id) && fits(all.get(id)));
  }

  check(event) {
    event.stopPropagation();
    this.table.check(this.key, event);
  }

  fold() {
    getSelection().removeAllRanges();
    this.table.fold(this.group.id);
  }

  fill(group) {
    this.group = group;
    const { table } = this;
    const unfolded = table.jobs.groups.unfolded.has(group.id);
    const selected = table.selection.of(group.ids);
    setAttribute(this.node, "aria-expanded", unfolded ? "true" : "false");
    setAttribute(this.node, "aria-selected", selected === true ? "true" : "false");
    setAttribute(this.node, "data-mixed", selected === "mixed" ? "true" : null);
    setAttribute(this.node, "data-active", table.active === this.key ? "true" : null);
    relabel(this.folder, `${unfolded ? "Fold" : "Unfold"} group ${group.id}`);
    this.fillJob(group);
    this.fillCounts(group);
    this.fillActions();
  }

  fillJob(group) {
    const { groups, all } = this.table.jobs;
    const pieces = partsOf(all.get(group.ids[0]));
    const { rest } = codeOf(pieces, groups.commonIn(group.id, all));
    const target = pieces.map(({ name }) => name).join("");
    setText(this.name, [group.name, `group ${group.id}`].filter(Boolean).join(" · ")); // several groups may have one name
    setText(this.code, [target, rest].filter(Boolean).join(" "));
    setAttribute(this.cells.job, "title", [`group ${group.id}`, group.name, target, rest].filter(Boolean).join("\n"));
  }

  fillCounts(group) {
    const [shown, all] = [group.ids.length, this.table.jobs.groups.sizeOf(group)];
    for (const part of this.bar.children) {
      const share = (100 * (group.counts[part.dataset.phase] || 0)) / shown;
      part.style.width = `${share}%`;
    }
    const states = WORDS.filter((name) => group.counts[name]).map((name) => `${group.counts[name].toLocaleString("en")} ${name}`).join(", ");
    const many = shown === all ? `${all.toLocaleString("en")} jobs` : `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} jobs`;
    setText(this.words, `${many}: ${states}`);
    setAttribute(this.cells.counts, "title", `${many}: ${states}`);
    setAttribute(this.node, "data-far", lengthOf(`${many}: ${states}`));
  }

  fillActions() {
    const { counts, id } = this.group;
    const live = (counts.running || 0) + (counts.queued || 0) + (counts.retrying || 0);
    const over = (counts.failed || 0) + (counts.cancelled || 0);
    show(this.cancel, live > 0);
    show(this.retry, over > 0);
    relabel(this.cancel, `Cancel the ${live.toLocaleString("en")} unfinished jobs of group ${id}`);
    relabel(this.retry, `Retry the ${over.toLocaleString("en")} failed and cancelled jobs of group ${id}`);
  }

  tick() {}
}
