// A confirmation before work would be lost: laid over the panel beside what was pressed, so that nothing moves.

import { button, element, setText, show } from "./elements.js";
import { isLive, phase } from "./text.js";

const GAP = 4; // pixels between it and what was pressed

// The first press asks for confirmation if work would be lost; leaving cancels it.
export class Confirm {
  constructor(node) {
    this.node = node;
    this.text = element("span");
    this.yes = button("Yes", { text: "Yes", press: () => this.end(true), class: "b-button b-danger" });
    this.no = button("No", { text: "No", press: () => this.end(false) });
    node.append(this.text, this.yes, this.no);
    node.addEventListener("focusout", (event) => !node.contains(event.relatedTarget) && this.end(false, !event.relatedTarget));
    node.addEventListener("keydown", (event) => event.key === "Escape" && (event.stopPropagation(), this.end(false)));
    show(node, false);
  }

  // Ask beside the button that was pressed.
  ask(question, at = document.activeElement) {
    this.end(false);
    this.back = at;
    setText(this.text, question);
    this.yes.setAttribute("aria-label", `Yes: ${question}`);
    this.no.setAttribute("aria-label", `No: ${question}`);
    show(this.node, true);
    this.place(at.getBoundingClientRect());
    this.yes.focus({ preventScroll: true });
    return new Promise((done) => (this.done = done));
  }

  // Left of the button where there is room, or right of it; otherwise below it, or above it.
  place(button) {
    const { style } = this.node;
    const outer = this.node.parentElement; // its border is not part of what it is placed in
    const { left: from, top: above } = outer.getBoundingClientRect();
    const around = { left: from + outer.clientLeft, top: above + outer.clientTop, width: outer.clientWidth, height: outer.clientHeight };
    style.left = style.top = "0";
    const { width, height } = this.node.getBoundingClientRect();
    const [before, after] = [button.left - around.left - width - GAP, button.right - around.left + GAP];
    const beside = before >= 0 || after + width <= around.width;
    const below = button.bottom - around.top + GAP;
    const left = before >= 0 ? before : beside ? after : Math.min(button.left - around.left, around.width - width);
    const middle = (button.top + button.bottom) / 2 - around.top - height / 2;
    const top = beside ? middle : below + height <= around.height ? below : button.top - around.top - height - GAP;
    style.left = `${Math.max(0, left)}px`;
    style.top = `${Math.max(0, Math.min(top, around.height - height))}px`;
  }

  end(answer, back = true) {
    const { done } = this;
    if (!done) return;
    this.done = null;
    show(this.node, false);
    if (back && this.back && this.back.isConnected && !this.back.hidden) this.back.focus({ preventScroll: true });
    done(answer);
  }
}

// What to ask before a verb is applied to these jobs of `all`, if anything; those that have finished can't be cancelled and don't count.
export function questionFor(verb, ids, all) {
  if (verb === "remove") return removal(fitting(verb, ids, all), ids);
  if (verb !== "cancel") return null;
  const live = ids.filter((id) => all.has(id) && isLive(all.get(id)));
  const phases = new Set(live.map((id) => phase(all.get(id))));
  if (!phases.has("running")) return live.length > 1 ? `Cancel ${many(live, [...phases].join(" and "))}?` : null;
  if (phases.size === 1) return `Cancel ${many(live, "running")}? Unfinished work will be lost.`;
  const running = live.filter((id) => all.get(id).state === "running").length;
  return `Cancel ${many(live)}, of which ${running.toLocaleString("en")} ${running === 1 ? "is" : "are"} running and would lose unfinished work?`;
}

function removal(over, ids) {
  const [removed, left] = [over.length, ids.length - over.length];
  if (!removed) return null; // the answer says why not
  const stay = left ? ` ${left === 1 ? "1 job that has not finished stays" : `${left.toLocaleString("en")} jobs that have not finished stay`}.` : "";
  return `Permanently remove ${many(over)} with results, outputs and logs?${stay}`;
}

// Those of the jobs that a verb is for, as its question counts them.
export function fitting(verb, ids, all) {
  if (verb !== "remove") return ids;
  return ids.filter((id) => all.has(id) && !isLive(all.get(id)));
}

function many(ids, kind = "") {
  const what = kind ? `${kind} ` : "";
  return ids.length === 1 ? `${what}job ${ids[0]}` : `${ids.length.toLocaleString("en")} ${what}jobs`;
}
