// A small terminal for a log: colours, carriage returns, cursor up. Only lines that changed are drawn.

// According to ECMA-48: a known control sequence, any other, a string, a shorter escape; then cursor movements, and text.
const SEQUENCE =
  /\x1b\[([\d;]*)([A-Za-z])|\x1b\[[0-?]*[ -\/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -\/]+[0-~]|\x1b[@-Z\\^_]|[\r\n\b]|[^\x1b\r\n\b]+|\x1b/g;
const OPEN = /\x1b(?:\[[0-?]*[ -\/]*|\][^\x07\x1b]{0,2000}|[ -\/]*)?$/; // its rest comes with the next text
const MOST = 2001; // what `panel/log_parts.py` shows at once, and the line that follows
const WIDEST = 4000;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

class Line {
  constructor(breaks) {
    this.breaks = breaks; // line breaks before it
    this.characters = [];
    this.styles = [];
    this.node = document.createElement("div");
    this.changed = true;
  }

  put(column, character, style) {
    while (this.characters.length < column) {
      this.characters.push(" ");
      this.styles.push("");
    }
    this.characters[column] = character;
    this.styles[column] = style;
    this.changed = true;
  }

  cut(column) {
    this.characters.length = this.styles.length = Math.min(column, this.characters.length);
    this.changed = true;
  }

  draw() {
    this.changed = false;
    this.node.replaceChildren();
    let start = 0;
    for (let end = 1; end <= this.characters.length; end++) {
      if (end < this.characters.length && this.styles[end] === this.styles[start]) continue;
      this.node.append(this.piece(start, end));
      start = end;
    }
    if (!this.characters.length) this.node.append("\n");
  }

  piece(start, end) {
    const text = this.characters.slice(start, end).join("");
    if (!this.styles[start]) return text;
    const span = document.createElement("span");
    span.className = this.styles[start];
    span.textContent = text;
    return span;
  }
}

export class Terminal {
  // `scroller` is what scrolls: the end stays in view if it was.
  constructor(node, scroller = node) {
    Object.assign(this, { node, scroller });
    this.clear();
  }

  clear() {
    this.lines = [];
    this.rest = "";
    this.follows = true;
    this.row = this.column = this.breaks = 0;
    this.style = new Set();
    this.node.replaceChildren();
  }

  write(text) {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    if (clientHeight) this.follows = scrollHeight - scrollTop - clientHeight < 24; // hidden, it has no height
    const all = this.rest + text;
    this.rest = OPEN.exec(all)?.[0] || "";
    const whole = this.rest ? all.slice(0, -this.rest.length) : all;
    for (const [sequence, numbers, letter] of whole.matchAll(SEQUENCE)) this.take(sequence, numbers, letter);
    this.trim();
    for (const line of this.lines) if (line.changed) line.draw();
    this.reveal();
  }

  // Scroll to the end, if the end was visible before.
  reveal() {
    if (this.follows) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  take(whole, numbers, letter) {
    if (letter) this.control(letter, numbers.split(";").map(Number));
    else if (whole === "\n") this.breakLine();
    else if (whole === "\r") this.column = 0;
    else if (whole === "\b") this.column = Math.max(0, this.column - 1);
    else if (whole[0] !== "\x1b") this.put(whole);
  }

  breakLine() {
    this.row += 1;
    this.column = 0;
    this.breaks += 1;
    this.line();
  }

  put(text) {
    let line = this.line();
    const style = [...this.style].join(" ");
    for (const character of text) {
      if (this.column >= WIDEST) {
        this.row += 1;
        this.column = 0;
        line = this.line();
      }
      line.put(this.column++, character, style);
    }
  }

  line() {
    while (this.lines.length <= this.row) {
      const line = new Line(this.breaks);
      this.lines.push(line);
      this.node.append(line.node);
    }
    return this.lines[this.row];
  }

  control(letter, numbers) {
    const many = Math.max(1, numbers[0] || 1);
    if (letter === "m") this.colours(numbers);
    else if (letter === "A") this.row = Math.max(0, this.row - many);
    else if (letter === "B") this.row = Math.min(this.lines.length - 1, this.row + many);
    else if (letter === "C") this.column = Math.min(WIDEST, this.column + many);
    else if (letter === "D") this.column = Math.max(0, this.column - many);
    else if (letter === "G") this.column = Math.min(many, 500) - 1;
    else if (letter === "K") this.line().cut(numbers[0] === 2 ? 0 : this.column);
  }

  // Of 256 colours, the first 16 are the terminal's own; any other is shown in the default colour.
  colours(numbers) {
    for (let at = 0; at < numbers.length; at++) {
      const number = numbers[at];
      if (number !== 38 && number !== 48) {
        this.colour(number);
        continue;
      }
      const own = numbers[at + 1] === 5 && numbers[at + 2] < 16 ? numbers[at + 2] % 8 : null;
      this.colour(own === null ? number + 1 : number - 8 + own);
      at += numbers[at + 1] === 5 ? 2 : 4;
    }
  }

  colour(number) {
    const forget = (prefix) => this.style.forEach((name) => name.startsWith(prefix) && this.style.delete(name));
    if (number === 0) this.style.clear();
    else if (number === 1) this.style.add("t-bold");
    else if (number === 4) this.style.add("t-underline");
    else if (number === 22) forget("t-bold");
    else if (number === 24) forget("t-underline");
    else if (number === 39) forget("t-fore");
    else if (number === 49) forget("t-back");
    else if ((number >= 30 && number < 38) || (number >= 90 && number < 98)) forget("t-fore"), this.style.add(`t-fore-${COLOURS[number % 10]}`);
    else if ((number >= 40 && number < 48) || (number >= 100 && number < 108)) forget("t-back"), this.style.add(`t-back-${COLOURS[number % 10]}`);
  }

  trim() {
    const many = this.lines.length - MOST;
    if (many <= 0) return;
    for (const line of this.lines.splice(0, many)) line.node.remove();
    this.row = Math.max(0, this.row - many);
  }
}
