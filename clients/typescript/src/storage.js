// Where a phone keeps its state. A storage is a table of rows by name, changed several at a time, all or none.

/** Keeps it in memory: for tests, and for pages that forget. */
export class MemoryStorage {
  #rows = new Map();

  /** All rows. */
  async load() {
    return structuredClone([...this.#rows]);
  }

  /** Changes rows, all or none; undefined removes one. */
  async store(changes) {
    for (const [name, value] of structuredClone([...changes])) {
      if (value === undefined) this.#rows.delete(name);
      else this.#rows.set(name, value);
    }
  }
}

const TABLE = "rows";

/** Keeps it in the browser. One database per app and person. */
export class IndexedDbStorage {
  #name;
  #opened = null;

  constructor(name) {
    this.#name = name;
  }

  async load() {
    const table = (await this.#database()).transaction(TABLE).objectStore(TABLE);
    const [names, values] = await Promise.all([finished(table.getAllKeys()), finished(table.getAll())]);
    return names.map((name, at) => [name, values[at]]);
  }

  async store(changes) {
    const transaction = (await this.#database()).transaction(TABLE, "readwrite", { durability: "strict" });
    const table = transaction.objectStore(TABLE);
    for (const [name, value] of changes) {
      if (value === undefined) table.delete(name);
      else table.put(value, name);
    }
    await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  #database() {
    this.#opened ??= new Promise((resolve, reject) => {
      const opening = indexedDB.open(this.#name, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    return this.#opened;
  }
}

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
