// The selected jobs. Those that the user has hidden with a filter since are kept, and not acted on.

export class Selection {
  // `changed(ids)` is called with what has changed.
  constructor(jobs, changed) {
    Object.assign(this, { jobs, changed });
    this.ids = new Set();
    this.hidden = new Set(); // those that a filter hides
    this.from = null; // the entry at which a range begins
    this.range = []; // what the range at hand has added
  }

  get size() {
    return this.ids.size;
  }

  has(id) {
    return this.ids.has(id);
  }

  // Whether all of these are selected, some ("mixed") or none.
  of(ids) {
    if (!this.ids.size) return false;
    const many = ids.filter((id) => this.ids.has(id)).length;
    return many === ids.length ? many > 0 : many > 0 && "mixed";
  }

  // Select an entry, or no longer.
  toggle(entry) {
    const ids = this.jobs.idsOf(entry);
    const all = this.of(ids) === true;
    for (const id of ids) all ? this.ids.delete(id) : this.ids.add(id);
    this.begin(entry);
    this.changed(ids);
  }

  // Note where a range begins.
  begin(entry) {
    this.from = entry;
    this.range = [];
  }

  // Select all from where the range begins to an entry, in place of the range before.
  extend(entry) {
    const { entries } = this.jobs;
    if (!entries.includes(this.from)) this.begin(entry);
    const before = this.range;
    for (const id of before) this.ids.delete(id);
    const [first, last] = [entries.indexOf(this.from), entries.indexOf(entry)].sort((a, b) => a - b);
    const ids = entries.slice(first, last + 1).flatMap((each) => this.idsIn(each));
    this.range = ids.filter((id) => !this.ids.has(id));
    for (const id of ids) this.ids.add(id);
    this.changed([...before, ...ids]);
  }

  // Of a group that is unfolded, a range takes only the rows that it covers.
  idsIn(entry) {
    const group = this.jobs.group(entry);
    return group && this.jobs.groups.unfolded.has(group.id) ? [] : this.jobs.idsOf(entry);
  }

  toggleAll() {
    const { order } = this.jobs;
    const all = this.of(order) === true;
    for (const id of order) all ? this.ids.delete(id) : this.ids.add(id);
    this.begin(null);
    this.changed(order);
  }

  clear() {
    const before = [...this.ids];
    this.ids.clear();
    this.hidden.clear();
    this.begin(null);
    this.changed(before);
  }

  // Forget jobs that no longer exist.
  forget() {
    for (const id of this.ids) if (!this.jobs.all.has(id)) this.ids.delete(id), this.hidden.delete(id);
  }

  // The user has changed the filter: what it hides now is not acted on. What an action moves out of view later still is.
  hide() {
    this.hidden = new Set([...this.ids].filter((id) => this.jobs.all.has(id) && !this.jobs.passes(this.jobs.all.get(id))));
  }

  // The selected jobs to act on.
  get chosen() {
    return [...this.ids].filter((id) => this.jobs.all.has(id) && !this.hidden.has(id));
  }
}
