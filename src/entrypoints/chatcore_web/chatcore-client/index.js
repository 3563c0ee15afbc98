/** @import { Client, ConnectOptions, ErrorObject, Live, Message, Room, Status } from "./types.js" */
import { SignedOut } from "./session.js";
import { makeCore } from "./core.js";
import { memoryStore } from "./store.js";
import { transport as network } from "./transport.js";

export { session, SignedOut } from "./session.js";
export { browserStore, memoryStore } from "./store.js";

/** @param {ConnectOptions} options @returns {Client} */
export const connect = ({ url, token, store = memoryStore(), transport = network }) => {
  let status = /** @type {Status} */ ({ state: "connecting", user: null, error: null });
  let link = /** @type {import("./types.js").Connection | undefined} */ (undefined);
  /** Cancel the times that end with the connection. */
  const waits = /** @type {Set<() => void>} */ (new Set());
  /** Cancels the pause before the next connection. */
  let pause = /** @type {(() => void) | undefined} */ (undefined);
  let attempts = 0;
  let pauseMin = 0;
  let present = ""; // the token of the connection
  let refused = /** @type {string | undefined} */ (undefined);
  let refusedBefore = false;

  // Live values.

  /** @type {Set<() => void>} */
  const checks = new Set();
  let version = 0;
  let scheduled = false;
  const changed = () => {
    version++;
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      for (const check of checks) check();
    });
  };
  /**
   * @template T
   * @param {() => T} compute
   * @param {() => void} [began]
   * @returns {Live<T>}
   */
  const live = (compute, began) => {
    let value = compute();
    let at = version;
    const snapshot = () => {
      if (at === version) return value;
      at = version;
      const now = compute();
      const same = Array.isArray(now) && Array.isArray(value) && now.length === value.length;
      if (!same || now.some((one, i) => one !== /** @type {any} */ (value)[i])) value = now;
      return value;
    };
    return {
      snapshot,
      subscribe(listener) {
        began?.();
        let last = snapshot();
        const check = () => {
          if (last === (last = snapshot())) return;
          try {
            listener();
          } catch (error) {
            console.error(error);
          }
        };
        checks.add(check);
        return () => void checks.delete(check);
      },
    };
  };
  /** @param {Partial<Status>} fields */
  const setStatus = (fields) => {
    status = { ...status, ...fields };
    changed();
  };

  // The connection.

  /** @param {number} ms @param {() => void} callback */
  const wait = (ms, callback) => {
    const cancel = transport.after(ms, () => {
      waits.delete(cancel);
      callback();
    });
    waits.add(cancel);
    return () => {
      waits.delete(cancel);
      cancel();
    };
  };
  /** @param {string} event @param {object} data @param {(answer: any) => void} answered */
  const send = (event, data, answered) => {
    const mine = link;
    const stop = wait(10_000, broke);
    mine?.send(event, data, (answer) => {
      if (mine !== link) return;
      stop();
      answered(answer);
    });
  };
  const core = makeCore({
    send,
    wait,
    put: async (item, done) => {
      await Promise.resolve(store.put(item)).catch(() => {});
      done();
    },
    remove: (key) => void Promise.resolve(store.delete(key)).catch(() => {}),
    newKey: transport.key,
    changed,
  });
  /** @param {number} [code] */
  const drop = (code) => {
    link?.close();
    link = undefined;
    for (const cancel of waits) cancel();
    waits.clear();
    core.disconnected(code);
  };
  const broke = (/** @type {number | undefined} */ code = undefined) => {
    drop(code);
    if (status.state === "online") setStatus({ state: "offline" });
    pause = transport.after(Math.max(Math.min(1000 * 2 ** attempts++, 5000) * transport.factor(), pauseMin), start);
    pauseMin = 0;
    changed();
  };
  /** @param {ErrorObject | null} error */
  const end = (error) => {
    if (status.state === "ended") return;
    pause?.();
    stopListening();
    setStatus({ state: "ended", error });
    drop();
    core.end();
  };
  /** @param {any} error what a token function raised */
  const tokenFailed = (error) => {
    const { code = "unavailable", message } = error ?? {};
    if (error instanceof SignedOut) end({ code, message, temporary: false });
    else setStatus({ error: { code, message, temporary: true } });
  };
  const start = async () => {
    pause = undefined;
    try {
      present = typeof token === "string" ? token : await token(refused);
    } catch (error) {
      tokenFailed(error);
      if (status.state !== "ended") broke();
      return;
    }
    if (status.state === "ended") return;
    refused = undefined;
    /** @type {import("./types.js").Connection} */
    const mine = (link = transport.open(url, present, {
      pushed: (event, data) => mine === link && pushed(event, data),
      refused: (error) => mine === link && refusedBy(error),
      closed: (code) => mine === link && broke(code),
    }));
    wait(10_000, () => status.state !== "online" && broke());
  };
  /** @param {ErrorObject} error */
  const refusedBy = (error) => {
    const again = refusedBefore;
    if (error.code === "unauthenticated") {
      if (typeof token === "string") return end(error);
      refused = present;
      refusedBefore = true;
    }
    setStatus({ error });
    if (!refused || again) return broke();
    drop();
    start();
  };
  /** @param {string} event @param {any} data */
  const pushed = (event, data) => {
    if (event === "ready") {
      attempts = 0;
      refusedBefore = false;
      setStatus({ state: "online", user: data.user, error: null });
      core.ready(data);
    } else if (event === "bye") {
      if (!data.resumable) return end(data);
      pauseMin = data.retry_after_ms ?? 0;
      setStatus({ error: data });
    } else if (event === "auth.expiring") refresh();
    else core.pushed(event, data);
    changed();
  };
  const refresh = async () => {
    if (typeof token === "string") return;
    const mine = link;
    try {
      const next = await token(present);
      if (mine !== link) return;
      send("auth.refresh", { token: (present = next) }, () => {});
    } catch (error) {
      tokenFailed(error);
    }
  };
  const stopListening = transport.whenOnline(() => {
    pause?.();
    if (pause) start();
  });
  (async () => {
    core.restore(await Promise.resolve(store.load()).catch(() => []));
    if (status.state !== "ended") start();
    changed();
  })();

  /** @type {Map<string, Room>} */
  const rooms = new Map();
  return {
    status: live(() => status),
    rooms: live(core.rooms),
    presence: live(core.presence),
    room(which) {
      const [id, peer] = typeof which === "string" ? [which, ""] : ["", which.with];
      const log = () => core.log(id || core.idWith(peer));
      const where = id ? { room: id } : { to: peer };
      /** @type {Room} */
      const room = rooms.get(id || "@" + peer) ?? {
        get id() {
          return id || (status.user === null ? undefined : log().id);
        },
        info: live(() => log().info),
        typists: live(() => log().typists),
        messages: live(
          () => core.messages(log()),
          () => core.open(log()),
        ),
        send: (body, more) => core.send(log(), where, body, more),
        edit: (message, body) => core.change(log(), "message.edit", message, { version: message.version, body }),
        delete: (message) => core.change(log(), "message.delete", message),
        react: (message, emoji, on) => core.change(log(), "message.react", message, { emoji, on }),
        more: (what = 50) => core.more(log(), (bottom) => (typeof what === "number" ? bottom - what : what.until)),
        mark: (seq) => core.mark(log(), seq),
        typing: (on) => core.typing(log(), on),
      };
      rooms.set(id || "@" + peer, room);
      return room;
    },
    call: (event, data = {}) => (event === "presence" ? core.watch(data) : core.call(event, data)),
    close: () => end(null),
  };
};
