/** @import { Item, Store } from "./types.js" */

/** @returns {Store} */
export const memoryStore = () => {
  const items = /** @type {Map<string, Item>} */ (new Map());
  return {
    load: () => [...items.values()],
    put: (item) => void items.set(item.key, item),
    delete: (key) => void items.delete(key),
  };
};

/** @param {string} name @returns {Store} */
export const browserStore = (name) => {
  const memory = memoryStore();
  let last = 0;
  const opened = /** @type {Promise<IDBDatabase>} */ (
    new Promise((resolve, reject) => {
      const request = indexedDB.open("chatcore " + name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore("outbox", { keyPath: "key" });
      request.onsuccess = () => {
        // Another tab may delete the database.
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
      request.onerror = request.onblocked = reject;
    })
  );
  opened.catch(() => {});
  /**
   * @template T
   * @param {IDBTransactionMode} mode
   * @param {(outbox: IDBObjectStore) => IDBRequest<T>} act
   */
  const run = async (mode, act) => {
    const late = new Promise((_, reject) => setTimeout(reject, 3000)); // some databases hang
    const database = /** @type {IDBDatabase} */ (await Promise.race([opened, late]));
    const transaction = database.transaction("outbox", mode, { durability: "strict" });
    const request = act(transaction.objectStore("outbox"));
    const done = new Promise((resolve, reject) => Object.assign(transaction, { oncomplete: resolve, onabort: reject }));
    await Promise.race([done, late]);
    return request.result;
  };
  return {
    async load() {
      const items = await run("readonly", (outbox) => outbox.getAll()).catch(() => []);
      items.sort((a, b) => a.n - b.n);
      last = items.at(-1)?.n ?? 0;
      return [...items, ...(await memory.load())];
    },
    async put(item) {
      item.n ??= last = Math.max(last + 1, Date.now());
      await run("readwrite", (outbox) => outbox.put(item)).catch(() => memory.put(item));
    },
    async delete(key) {
      memory.delete(key);
      await run("readwrite", (outbox) => outbox.delete(key)).catch(() => {});
    },
  };
};
