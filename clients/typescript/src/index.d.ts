import type { Methods } from "./methods.js";

export type * from "./methods.js";

/** The name of a method. */
export type MethodName = keyof Methods;
/** The name of a method that changes something. */
export type ProcedureName = { [M in MethodName]: Methods[M]["kind"] extends "procedure" ? M : never }[MethodName];

/** A failure: the server's problem, or code `network` when no answer came and the outcome is unknown. */
export declare class GomerError extends Error {
  status: number;
  code: string;
  /** Whether to try again: not at all, the same call at once, or later. */
  retry: "never" | "same" | "later";
  retryAfterS?: number;
  errors: Array<{ pointer: string; code: string; detail?: string }>;
  /** Where a revision was stale: the entity as it is now. */
  current?: unknown;
  rev?: string;
}

/** A new id: ids made later sort later. */
export declare function newId(nowMs?: number): string;

/** The tokens of whoever is signed in. */
export interface Session {
  accessToken: string;
  refreshToken: string;
}

export interface CallOptions {
  /** Makes a retry of a procedure safe. */
  op?: string;
  /** Refuse if what it changes is not at this revision. */
  ifRev?: string;
  signal?: AbortSignal;
}

/** Calls of methods over HTTP, and a session that renews itself. */
export declare class Calls {
  constructor(options: {
    /** Where the server listens, like `https://api.example.org`. */
    url: string;
    app: string;
    /** The app's client key. */
    key: string;
    session?: Session | null;
    /** Told of each new pair of tokens; must have stored it when its promise is fulfilled. Null: signed out. */
    onSession?: (session: Session | null) => Promise<void>;
    fetch?: typeof globalThis.fetch;
  });
  readonly session: Session | null;
  setSession(session: Session | null): Promise<void>;
  call<M extends MethodName>(method: M, args: Methods[M]["args"], options?: CallOptions): Promise<Methods[M]["reply"]>;
}

/** A thing as the server last sent it. */
export interface Row {
  root: string;
  section: string;
  type: string;
  id: string;
  rev: string;
  value: unknown;
}

/** What the server has let this phone see. */
export declare class Cache {
  get(root: string, type: string, id: string): Row | undefined;
  all(of?: { root?: string; type?: string }): Row[];
  /** How far somebody has read a stream. */
  mark(root: string, stream: string): string | undefined;
  /** Whether it may show what no longer exists. */
  readonly isResyncing: boolean;
}

export interface Operation {
  op: string;
  method: string;
  args: unknown;
  ifRev?: string;
  editedAt: string;
}

/** An operation that will not be done, until it is dismissed. */
export interface Report {
  operation: Operation;
  verdict: "refused" | "setAside";
  status: number;
  code: string;
  /** Where a revision was stale: the entity as it is now. */
  current?: unknown;
}

/** What the person did and the server has not confirmed, and what became of it. */
export declare class Queue {
  readonly operations: readonly Operation[];
  readonly reports: readonly Report[];
}

/** Where a phone keeps its state. */
export interface Storage {
  load(): Promise<Array<[string, unknown]>>;
  /** Changes rows, all or none; undefined removes one. */
  store(changes: Iterable<[string, unknown]>): Promise<void>;
}

/** Keeps it in memory. */
export declare class MemoryStorage implements Storage {
  load(): Promise<Array<[string, unknown]>>;
  store(changes: Iterable<[string, unknown]>): Promise<void>;
}

/** Keeps it in the browser. One database per app and person. */
export declare class IndexedDbStorage implements Storage {
  constructor(name: string);
  load(): Promise<Array<[string, unknown]>>;
  store(changes: Iterable<[string, unknown]>): Promise<void>;
}

/** Shows what it was sent, takes what the person does at once, and talks to the server when it can. */
export declare class Phone {
  static open(calls: Calls, storage: Storage): Promise<Phone>;
  readonly cache: Cache;
  readonly queue: Queue;
  /** Calls back after each change. Gives a function that ends it. */
  onChange(listener: (phone: Phone) => void): () => void;
  /** The roots that are followed beside one's own, like `post:UUID`. At most 50. */
  follow(roots: string[]): Promise<void>;
  /** Does something, now or when there is a network again. Gives the operation's id once it is stored. */
  do<M extends ProcedureName>(
    method: M,
    args: Methods[M]["args"],
    options?: { ifRev?: string; op?: string; editedAt?: string },
  ): Promise<string>;
  dismiss(op: string): Promise<void>;
  /** Sends what waits, then fetches all that is new. */
  sync(options?: { signal?: AbortSignal }): Promise<void>;
  push(options?: { signal?: AbortSignal }): Promise<boolean>;
  pull(options?: { waitS?: number; signal?: AbortSignal }): Promise<void>;
  /** Keeps in step until the signal is given. Throws a `GomerError` with status 401 when the session has ended. */
  run(signal: AbortSignal): Promise<void>;
}
