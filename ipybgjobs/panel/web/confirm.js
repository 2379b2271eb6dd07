// A confirmation before work would be lost, shown in place, not as a window.

import { button, element, setText, show } from "./elements.js";

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

  ask(question) {
    this.end(false);
    this.back = document.activeElement;
    setText(this.text, question);
    this.yes.setAttribute("aria-label", `Yes: ${question}`);
    this.no.setAttribute("aria-label", `No: ${question}`);
    show(this.node, true);
    this.yes.focus();
    return new Promise((done) => (this.done = done));
  }

  end(answer, back = true) {
    const { done } = this;
    if (!done) return;
    this.done = null;
    show(this.node, false);
    if (back && this.back && this.back.isConnected && !this.back.hidden) this.back.focus();
    done(answer);
  }
}
