// The package's face. Reading order: calls, cache, queue, phone, storage.

export { Calls, GomerError, newId } from "./calls.js";
export { Cache } from "./cache.js";
export { Queue } from "./queue.js";
export { Phone } from "./phone.js";
export { IndexedDbStorage, MemoryStorage } from "./storage.js";
