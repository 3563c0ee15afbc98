/** An error object of the contract (docs/protocol.md, "Errors"). */
export interface ErrorObject {
  code: string;
  message?: string;
  temporary?: boolean;
  retry_after_ms?: number;
  field?: string;
}

/** What a call is rejected with: an error with the fields of the error object. */
export type CallError = Error & ErrorObject;

/** An entry of a room's log (docs/protocol.md, "Entries"). */
export interface Entry {
  room: string;
  seq: number;
  kind: string;
  author: string;
  at: string;
  key?: string;
  version?: number;
  body?: string;
  data?: Record<string, unknown>;
  reply_to?: number;
  mentions?: string[];
  edited_at?: string;
  deleted?: boolean;
  reactions?: Record<string, Reaction>;
  target?: number;
  emoji?: string;
  on?: boolean;
  user?: string;
  role?: string;
  reason?: string;
  title?: string;
  opens?: Record<string, unknown>;
}

export interface Reaction {
  count: number;
  /** The first 20. */
  users: string[];
}

/** What a room shows. Only what is `sent` has `seq` and `at`; what is not sent yet has `done`. */
export type Message = Omit<Entry, "seq" | "at"> & {
  state: "sent" | "sending" | "failed";
  seq?: number;
  at?: string;
  error?: ErrorObject;
  /** The entry's seq; rejected with a {@link CallError} when the message is refused. */
  done?: Promise<number>;
  /** Sends a failed message again, with the same key. */
  retry?: () => void;
  /** Drops a failed message. */
  discard?: () => void;
};

/** A Room object (docs/protocol.md, "Room"). */
export interface RoomInfo {
  room: string;
  epoch: string;
  kind: "private" | "group" | "public";
  head: number;
  title?: string;
  peer?: string;
  members_count?: number;
  me: { state: "member" | "invited"; role?: string; read?: number; delivered?: number; unread?: number; muted?: boolean };
  last?: Entry & { cut?: boolean };
  markers?: Record<string, { read: number; delivered: number }>;
}

export interface Status {
  state: "connecting" | "online" | "offline" | "ended";
  user: string | null;
  error: ErrorObject | null;
}

export interface Presence {
  state: "online" | "away" | "offline";
  last_seen?: string;
}

/** A value that changes. `snapshot` gives the same object until then: what React's `useSyncExternalStore` takes. */
export interface Live<T> {
  snapshot: () => T;
  /** Calls `listener` after each change, once for all changes of a turn. Returns what ends the subscription. */
  subscribe: (listener: () => void) => () => void;
}

/** A message in the store: what `message.send` takes, with its user and, where it was refused, its error. */
export interface Item {
  key: string;
  body: string;
  room?: string;
  to?: string;
  data?: Record<string, unknown>;
  reply_to?: number;
  mentions?: string[];
  user?: string;
  error?: ErrorObject;
  n?: number;
}

/** Keeps what is not sent yet. Messages come back from `load` in the order in which they were first put. */
export interface Store {
  load: () => Item[] | Promise<Item[]>;
  /** Adds the item, or replaces the one with its key. */
  put: (item: Item) => void | Promise<void>;
  delete: (key: string) => void | Promise<void>;
}

export type TokenSource = string | ((refused?: string) => string | Promise<string>);

export interface ConnectOptions {
  /** The address of the server, with the path that it is mounted at. A page may give a relative one. */
  url: string;
  token: TokenSource;
  /** Memory, where it is left out. */
  store?: Store;
  /** Private: the tests' network and clock. */
  transport?: Transport;
}

export interface Room {
  /** Undefined for a room that was got by `with`, until the user is known. */
  readonly id: string | undefined;
  readonly info: Live<RoomInfo | null>;
  readonly messages: Live<readonly Message[]>;
  readonly typists: Live<readonly string[]>;
  send(body: string, more?: { data?: Record<string, unknown>; reply_to?: number; mentions?: string[] }): Message;
  edit(message: Message, body: string): Promise<any>;
  delete(message: Message): Promise<any>;
  react(message: Message, emoji: string, on: boolean): Promise<any>;
  /** Loads `count` older entries (default 50), or all from the seq `until` on. Returns whether still older ones are left. */
  more(what?: number | { until: number }): Promise<boolean>;
  mark(seq: number): void;
  typing(on: boolean): void;
}

export interface Client {
  readonly status: Live<Status>;
  readonly rooms: Live<readonly RoomInfo[]>;
  readonly presence: Live<Readonly<Record<string, Presence>>>;
  room(which: string | { with: string }): Room;
  /** Sends any other command. Returns its answer without `ok`, or is rejected with a {@link CallError}. */
  call(event: string, data?: object): Promise<any>;
  close(): void;
}

export declare const connect: (options: ConnectOptions) => Client;

/** Raised by a token function where the user has to sign in anew. */
export declare class SignedOut extends Error {
  code: string;
}

/** A store in IndexedDB that tabs share; memory where there is none, or it fails. */
export declare const browserStore: (name: string) => Store;
export declare const memoryStore: () => Store;

// Private.

/** The network, the clock and chance. */
export interface Transport {
  /** Begins to connect. None of the handlers is called before `open` returns, nor after `close`. */
  open(
    url: string,
    token: string,
    handlers: {
      pushed(event: string, data: any): void;
      /** The server refused the connection with the error object of a `connect_error`; nothing follows. */
      refused(error: ErrorObject): void;
      /** The connection ended, or was not made; nothing follows. */
      closed(code?: number): void;
    },
  ): Connection;
  /** Calls back after a time. Returns what cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** A random factor from 0.5 to 1.5 for pauses. */
  factor(): number;
  /** A new random key. */
  key(): string;
  /** Calls back whenever the network is back. Returns what ends that. */
  whenOnline(callback: () => void): () => void;
}

export interface Connection {
  /** Sends a command. */
  send(event: string, data: object, answered: (answer: any) => void): void;
  close(): void;
}

/** What the core has carried out. */
export interface Port {
  send(event: string, data: object, answered: (answer: any) => void): void;
  /** Calls back after a time, unless the connection ends before. Returns what cancels it. */
  wait(ms: number, callback: () => void): () => void;
  /** Calls back when the item is in the store. */
  put(item: Item, done: () => void): unknown;
  remove(key: string): unknown;
  newKey(): string;
  /** Says that something may have changed. */
  changed(): void;
}

/** The connection and the clock around a core. */
export interface Shell extends Port {
  live<T>(compute: () => T, began?: () => void): Live<T>;
  tried<T>(act: () => T | Promise<T>): Promise<T | undefined>;
  /** Changes the status. */
  show(fields: Partial<Status>): void;
  /** Begins a connection. */
  start(): Promise<void>;
  tokenFailed(error: any): void;
  refused(error: ErrorObject): void;
  /** Closes the connection. */
  drop(code?: number): void;
  /** Closes the connection, and begins another one after a pause. */
  broke(code?: number): void;
  end(error: ErrorObject | null): void;
  pushed(event: string, data: any): void;
  refresh(): Promise<void>;
}

/** A command to send, and what takes its answer. */
export type Query = [event: string, data: any, done: (answer: any) => void, refused: (error: ErrorObject) => void];

export interface Lane {
  next: () => Query | false | undefined;
  /** What has no answer yet, or waits after a temporary error. */
  busy?: Query;
  /** The last pause. */
  ms?: number;
  /** Whether what it sends is not repeated. */
  once?: boolean;
}

/** A command of the user. */
export interface Command {
  event: string;
  data: any;
  /** Of a message: what the store has. */
  item?: Item;
  /** The room in which commands with a key go out one by one; otherwise the command has a lane of its own. */
  room?: string;
  lane: Lane;
  storing?: boolean;
  error?: ErrorObject;
  /** Of a message that is sent, and of which the entry has not come. */
  seq?: number;
  at?: string;
  done: Promise<any>;
  resolve: (value: any) => void;
  reject: (error: Error) => void;
  shown?: Message;
}

/** What the client has of one room: all entries up to `seq`, but those in `holes`. */
export interface Log {
  id: string;
  info: RoomInfo | null;
  typists: readonly string[];
  open: boolean;
  /** Whether the Room was shown on this connection. */
  listed: boolean;
  /** Undefined where the user is no member. */
  epoch?: string;
  seq: number;
  /** First and last seqs, ascending. */
  holes: [number, number][];
  /** The seq below which holes are not asked for. */
  floor: number;
  /** Each entry as it came, what it is as of, and what was shown after so many changes. */
  entries: Map<number, { entry: Entry; asOf: number; changes?: number; shown?: Message }>;
  /** Calls of `more`: from which seq on they load, given the first seq that is shown. */
  waiting: { from?: (bottom: number) => number; resolve: (left: boolean) => void }[];
  commands: Lane;
  marks: Lane;
  /** The position to mark, and the one that was answered. */
  mark: number;
  marked: number;
  /** Whether the user types, and what ends the 3 s in which that is not said again. */
  typing?: boolean;
  quiet?: () => void;
}

export interface Core {
  /** The log of a room, by its id. */
  log(id: string): Log;
  /** The id of the private room with a user; a stand-in while the client's user is not known. */
  idWith(other: string): string;
  call(event: string, data: object): Promise<any>;
  presence(): Readonly<Record<string, Presence>>;
  rooms(): RoomInfo[];
  messages(log: Log): Message[];
  open(log: Log): void;
  send(log: Log, where: object, body: string, more?: object): Message;
  change(log: Log, event: string, message: Message, more?: object): Promise<any>;
  more(log: Log, from: (bottom: number) => number): Promise<boolean>;
  mark(log: Log, seq: number): void;
  typing(log: Log, on: boolean): void;
  /** Takes what an earlier run has left in the store. */
  restore(items: Item[]): void;
  /** Takes the first push of a connection. */
  ready(body: { user: string; rooms: RoomInfo[]; next?: string }): void;
  pushed(event: string, body: any): void;
  disconnected(code?: number): void;
  end(): void;

  // Inside of the core.
  lanes(): Iterable<Lane>;
  flush(): void;
  due(command?: Command): Query | undefined;
  add(event: string, data: any, item?: Item): Command;
  place(command: Command): void;
  renew(command: Command): void;
  leave(command: Command): void;
  fail(command: Command, error: ErrorObject): void;
  lost(command: Command): void;
  store(command: Command, error?: ErrorObject): void;
  unsent(command: Command): Message;
  forget(log: Log): void;
  advance(log: Log, seq: number): void;
  bottom(log: Log): number;
  gap(log: Log): [number, number] | undefined;
  follow(log: Log, entry: Entry): boolean;
  merge(log: Log, fields: any): void;
  received(body: RoomInfo): void;
  listed(page: { rooms: RoomInfo[]; next?: string }): void;
  took(log: Log, entries: Entry[], asOf: number): void;
  synced(log: Log, answer: any): void;
  endTyping(log: Log): void;
}

export type MakeCore = (port: Port) => Core;
