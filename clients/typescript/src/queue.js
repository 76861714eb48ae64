// What the person did and the server has not confirmed, in order, and what became of it.
//
// Pure: it sends and stores nothing. An operation keeps its id for life: whoever does not know whether it took effect
// sends it again, and the server does it once. Nothing leaves silently: an operation ends confirmed, or as a report
// that stays until it is dismissed.

/** Most operations that wait. */
export const OPERATIONS_MAX = 10_000;
/** Most operations of one `sync.push`. */
export const PUSH_MAX = 50;
/** Most characters of one `sync.push`. */
const PUSH_CHARS_MAX = 200_000;
/** How often the server may fail at an operation before it is set aside, so that those after it go on. */
export const FAILURES_MAX = 12;

export class Queue {
  operations = [];
  reports = [];
  #last = 0;

  /** The queue as it was stored. */
  static restore({ operations = [], reports = [] } = {}) {
    const queue = new Queue();
    queue.operations = operations.sort((one, other) => one.number - other.number);
    queue.reports = reports;
    queue.#last = Math.max(0, ...operations.map(({ number }) => number));
    return queue;
  }

  /** Adds an operation at the end. Throws if it does not fit: then nothing was done. */
  add({ op, method, args, ifRev, editedAt, known }) {
    if (this.operations.length >= OPERATIONS_MAX) throw new RangeError("the queue of unsent operations is full");
    const operation = { number: this.#last + 1, op, method, args, ifRev, editedAt, known, failures: 0 };
    if (JSON.stringify(operation).length > PUSH_CHARS_MAX) {
      throw new RangeError("the operation is too large to be sent");
    }
    this.#last += 1;
    this.operations.push(operation);
    return operation;
  }

  /** Takes back the operation that was added last, because it could not be stored. */
  takeBack(operation) {
    this.operations = this.operations.filter((queued) => queued !== operation);
  }

  /** The next ones to send, as `sync.push` takes them. */
  next() {
    const batch = [];
    let chars = 0;
    for (const { op, method, args, ifRev, editedAt, known } of this.operations.slice(0, PUSH_MAX)) {
      const queued = { op, method, args, editedAt, ...(ifRev && { ifRev }), ...(known && { known }) };
      chars += JSON.stringify(queued).length;
      if (batch.length > 0 && chars > PUSH_CHARS_MAX) break;
      batch.push(queued);
    }
    return batch;
  }

  /** Takes the reply of a `sync.push`. Gives the operations that are done, the reports, and those that failed and stay. */
  settle({ results, stoppedAt }) {
    const done = [];
    const reported = [];
    const failed = [];
    for (const result of results) {
      const operation = this.operations.find((queued) => queued.op === result.op);
      if (!operation) continue;
      if (result.status < 300) {
        done.push({ ...operation, rev: result.rev, value: result.value });
      } else if (result.op !== stoppedAt) {
        reported.push(this.#report(operation, "refused", result));
      } else if (result.status >= 500 && result.code === "internal" && ++operation.failures >= FAILURES_MAX) {
        reported.push(this.#report(operation, "setAside", result));
      } else {
        failed.push(operation);
        continue;
      }
      this.operations = this.operations.filter((queued) => queued !== operation);
    }
    return { done, reported, failed };
  }

  /** Forgets a report that the person has seen. */
  dismiss(op) {
    this.reports = this.reports.filter((report) => report.operation.op !== op);
  }

  #report(operation, verdict, { status, code, value }) {
    const report = { operation, verdict, status, code, current: value };
    this.reports.push(report);
    return report;
  }
}
