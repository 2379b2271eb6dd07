// A small terminal for a log: colours, carriage returns, cursor up. Only lines that changed are drawn.

const SEQUENCE = /\x1b\[([\d;]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\r\n\b]|[^\x1b\r\n\b]+|\x1b/g;
const MOST = 2000;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

class Line {
  constructor() {
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
  constructor(node) {
    this.node = node;
    this.clear();
  }

  clear() {
    this.lines = [];
    this.row = this.column = 0;
    this.style = new Set();
    this.node.replaceChildren();
  }

  write(text) {
    const follows = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight < 24;
    for (const [whole, numbers, letter] of text.matchAll(SEQUENCE)) this.take(whole, numbers, letter);
    this.trim();
    for (const line of this.lines) if (line.changed) line.draw();
    if (follows) this.node.scrollTop = this.node.scrollHeight;
  }

  take(whole, numbers, letter) {
    if (letter) this.control(letter, numbers.split(";").map(Number));
    else if (whole === "\n") (this.row += 1), (this.column = 0), this.line();
    else if (whole === "\r") this.column = 0;
    else if (whole === "\b") this.column = Math.max(0, this.column - 1);
    else if (whole[0] !== "\x1b") this.put(whole);
  }

  put(text) {
    const line = this.line();
    const style = [...this.style].join(" ");
    for (const character of text) line.put(this.column++, character, style);
  }

  line() {
    while (this.lines.length <= this.row) {
      const line = new Line();
      this.lines.push(line);
      this.node.append(line.node);
    }
    return this.lines[this.row];
  }

  control(letter, numbers) {
    const many = Math.max(1, numbers[0] || 1);
    if (letter === "m") for (const number of numbers) this.colour(number);
    else if (letter === "A") this.row = Math.max(0, this.row - many);
    else if (letter === "B") this.row = Math.min(this.lines.length - 1, this.row + many);
    else if (letter === "C") this.column += Math.min(many, 500);
    else if (letter === "D") this.column = Math.max(0, this.column - many);
    else if (letter === "G") this.column = Math.min(many, 500) - 1;
    else if (letter === "K") this.line().cut(numbers[0] === 2 ? 0 : this.column);
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
