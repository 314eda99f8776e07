// What the browser keeps between visits, one entry a household: the viewer's
// secret, the newest signed roster, and what the opener remembers (sequence
// numbers and hashes). Never a picture, and nothing that was said about one.

const name = 'sealcam', table = 'households';

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

export class Store {
  #db;

  // open never fails: where a browser keeps nothing, entries live as long as the page.
  static async open() {
    const s = new Store();
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(table, { keyPath: 'id' });
      s.#db = await done(request);
    } catch {
      s.memory = new Map();
    }
    return s;
  }

  async get(id) {
    if (!this.#db) return this.memory.get(id);
    return done(this.#db.transaction(table).objectStore(table).get(id));
  }

  // latest returns the household that was used last.
  async latest() {
    const all = this.#db ? await done(this.#db.transaction(table).objectStore(table).getAll()) : [...this.memory.values()];
    return all.sort((a, b) => b.used - a.used)[0];
  }

  // put resolves when the entry is on disk.
  async put(entry) {
    if (!this.#db) return void this.memory.set(entry.id, entry);
    const t = this.#db.transaction(table, 'readwrite', { durability: 'strict' });
    t.objectStore(table).put(entry);
    return new Promise((resolve, reject) => {
      t.oncomplete = () => resolve();
      t.onabort = t.onerror = () => reject(t.error);
    });
  }

  async remove(id) {
    if (!this.#db) return void this.memory.delete(id);
    return done(this.#db.transaction(table, 'readwrite').objectStore(table).delete(id));
  }
}
