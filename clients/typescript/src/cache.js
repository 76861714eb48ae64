// What the server has let this phone see, and how pages of `sync.pull` change it.
//
// Pure: it reads no clock and stores nothing. Each change says which rows of the storage follow from it; a page and its
// cursor are to be stored together. Within a resync the cache is a mixture of old and new; only at the page with `end`
// is it a state that the server had.

const separator = "\u0000";

function scopeOf({ root, section }) {
  return root + separator + section;
}

/** Names a row: scope, whether it is a read mark, type, id. */
function keyOf(item) {
  return [item.root, item.section, item.op === "mark" ? "mark" : "entity", item.type, item.id].join(separator);
}

export class Cache {
  rows = new Map();
  scopes = new Map();
  round = 0;

  /** The cache as it was stored. */
  static restore({ rows = [], scopes = [], round = 0 } = {}) {
    const cache = new Cache();
    cache.rows = new Map(rows);
    cache.scopes = new Map(scopes);
    cache.round = round;
    return cache;
  }

  /** One thing as the server last sent it, or undefined. */
  get(root, type, id) {
    return this.all({ root, type }).find((row) => row.id === id);
  }

  /** All things of a root, a type, or both. */
  all({ root, type } = {}) {
    const wanted = (row) => (!root || row.root === root) && (!type || row.type === type) && row.kind === "entity";
    return [...this.rows.values()].filter(wanted);
  }

  /** How far somebody has read a stream, or undefined. */
  mark(root, stream) {
    const rows = [...this.rows.values()];
    return rows.find((row) => row.kind === "mark" && row.root === root && row.type === stream)?.value.order;
  }

  /** Whether it may show what no longer exists. */
  get isResyncing() {
    return [...this.scopes.values()].some((held) => held.resync !== null);
  }

  /** Applies a page whole. Gives what changed: keys of rows and scopes with their new values, undefined for gone ones. */
  apply({ items, end }) {
    const changed = { rows: new Map(), scopes: new Map() };
    for (const item of items) this.#take(item, changed);
    if (end) this.#finish(changed);
    return changed;
  }

  /** Everything will be sent again from the start: what does not come until the end of that is gone. */
  beginAgain() {
    const changed = { rows: new Map(), scopes: new Map() };
    this.#resync([...this.scopes.keys()], changed);
    return changed;
  }

  #take(item, changed) {
    const scope = scopeOf(item);
    switch (item.op) {
      case "put":
      case "mark": {
        if (!this.scopes.has(scope)) this.#hold(scope, { grant: null, resync: null }, changed);
        const { root, section, type, id, rev, value } = item;
        const kind = item.op === "mark" ? "mark" : "entity";
        this.#put(keyOf(item), { root, section, kind, type, id, rev, value, seen: this.round }, changed);
        break;
      }
      case "delete":
        this.#put(keyOf(item), undefined, changed);
        break;
      case "resync":
        this.#resync([scope], changed);
        break;
      case "scopeAdded": {
        const known = this.scopes.get(scope) ?? { grant: null, resync: null };
        this.#hold(scope, { ...known, grant: item.rev }, changed);
        // Another grant: access was lost and given back in between, so that deletions were missed.
        const regranted = known.grant !== null && known.grant !== item.rev;
        if (regranted && known.resync === null) this.#resync([scope], changed);
        break;
      }
      case "scopeDropped":
        this.#sweep(scope, () => true, changed);
        this.#hold(scope, undefined, changed);
        break;
      default: // Of a newer server: of no use to this program.
    }
  }

  #put(key, row, changed) {
    if (row === undefined && !this.rows.has(key)) return;
    if (row === undefined) this.rows.delete(key);
    else this.rows.set(key, row);
    changed.rows.set(key, row);
  }

  #hold(scope, held, changed) {
    if (held === undefined && !this.scopes.has(scope)) return;
    if (held === undefined) this.scopes.delete(scope);
    else this.scopes.set(scope, held);
    changed.scopes.set(scope, held);
  }

  #resync(scopes, changed) {
    this.round += 1;
    for (const scope of scopes) {
      const held = this.scopes.get(scope) ?? { grant: null };
      this.#hold(scope, { ...held, resync: this.round }, changed);
    }
  }

  #finish(changed) {
    for (const [scope, held] of [...this.scopes]) {
      if (held.resync === null) continue;
      this.#sweep(scope, (row) => row.seen < held.resync, changed);
      this.#hold(scope, { ...held, resync: null }, changed);
    }
  }

  #sweep(scope, isGone, changed) {
    for (const [key, row] of [...this.rows]) {
      if (scopeOf(row) === scope && isGone(row)) this.#put(key, undefined, changed);
    }
  }
}
