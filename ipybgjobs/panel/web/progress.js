// The progress of a job: a bar if the total is known, and words.

import { element, setAttribute, setText, show } from "./elements.js";
import { far } from "./text.js";

export class Progress {
  constructor(label) {
    this.bar = element("span", { class: "b-bar", role: "progressbar", "aria-label": label }, element("span"));
    this.words = element("span", { class: "b-words" });
  }

  // Fill both, with recorded values; a job without progress shows `otherwise` instead. Returns the words.
  fill(progress, otherwise, values = "") {
    const knows = Boolean(progress) && progress.share !== null;
    show(this.bar, knows);
    if (knows) this.fillBar(Math.round(progress.share * 100));
    const words = [...(progress ? [far(progress), progress.message] : [otherwise]), values].filter(Boolean).join(" · ");
    setText(this.words, words);
    return words;
  }

  fillBar(percent) {
    this.bar.firstChild.style.width = `${percent}%`;
    setAttribute(this.bar, "aria-valuenow", percent);
  }
}
