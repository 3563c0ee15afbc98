/** @import { Client, ConnectOptions, Connection, Core, Room, Shell, Status } from "./types.js" */
import { makeCore } from "./core.js";
import { memoryStore } from "./store.js";
import { transport as network } from "./transport.js";

export { browserStore, memoryStore } from "./store.js";

/** Raised by a token function: the user has to sign in anew. */
export class SignedOut extends Error {
  code = "unauthenticated";
}

/** @param {ConnectOptions} options @returns {Client} */
export const connect = ({ url, token, store = memoryStore(), transport = network }) => {
  let status = /** @type {Status} */ ({ state: "connecting", user: null, error: null });
  let link = /** @type {Connection | undefined} */ (undefined);
  let present = ""; // the token of the connection
  let refused = /** @type {string | undefined} */ (undefined);
  let refusedBefore = false;
  let attempts = 0;
  let pauseMin = 0;
  // What cancels the pause before the next connection, and the times that end with the present one.
  let pause = /** @type {(() => void) | undefined} */ (undefined);
  const waits = /** @type {Set<() => void>} */ (new Set());
  const checks = /** @type {Set<() => void>} */ (new Set());
  let version = 0;
  let scheduled = false;

  /** @type {Shell} */
  const shell = {
    changed() {
      version++;
      if (scheduled) return;
      scheduled = true;
      queueMicrotask(() => {
        scheduled = false;
        for (const check of checks) check();
      });
    },
    live(compute, began) {
      let value = /** @type {any} */ (compute());
      let at = version;
      const snapshot = () => {
        if (at === version) return value;
        at = version;
        const now = compute();
        if (!Array.isArray(now) || now.length !== value.length || now.some((one, i) => one !== value[i])) value = now;
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
    },
    show(fields) {
      status = { ...status, ...fields };
      shell.changed();
    },
    wait(ms, callback) {
      const cancel = transport.after(ms, () => {
        waits.delete(cancel);
        callback();
      });
      waits.add(cancel);
      return () => {
        waits.delete(cancel);
        cancel();
      };
    },
    send(event, data, answered) {
      const mine = link;
      const stop = shell.wait(10_000, shell.broke);
      mine?.send(event, data, (answer) => {
        if (mine !== link) return;
        stop();
        answered(answer);
      });
    },
    /** What a store fails to do is not needed: messages are in memory, and keys make another sending harmless. */
    async tried(act) {
      try {
        return await act();
      } catch {}
    },
    put: (item, done) => shell.tried(() => store.put(item)).then(done),
    remove: (key) => shell.tried(() => store.delete(key)),
    newKey: transport.key,

    async start() {
      pause = undefined;
      try {
        present = typeof token === "string" ? token : await token(refused);
        if (status.state === "ended") return;
        refused = undefined;
        /** @type {Connection} */
        const mine = (link = transport.open(url, present, {
          pushed: (event, data) => mine === link && shell.pushed(event, data),
          refused: (error) => mine === link && shell.refused(error),
          closed: (code) => mine === link && shell.broke(code),
        }));
        shell.wait(10_000, () => status.state !== "online" && shell.broke());
      } catch (error) {
        shell.tokenFailed(error);
        if (status.state !== "ended") shell.broke();
      }
    },
    tokenFailed(error) {
      const { code = "unavailable", message } = Object(error);
      if (error instanceof SignedOut) shell.end({ code, message, temporary: false });
      else shell.show({ error: { code, message, temporary: true } });
    },
    refused(error) {
      const again = refusedBefore;
      if (error.code === "unauthenticated") {
        if (typeof token === "string") return shell.end(error);
        refused = present;
        refusedBefore = true;
      }
      shell.show({ error });
      if (!refused || again) return shell.broke();
      shell.drop();
      shell.start();
    },
    drop(code) {
      link?.close();
      link = undefined;
      for (const cancel of waits) cancel();
      waits.clear();
      core.disconnected(code);
    },
    broke(code) {
      shell.drop(code);
      shell.show(status.state === "online" ? { state: "offline" } : {});
      const ms = Math.min(1000 * 2 ** attempts++, 5000) * transport.factor();
      pause = transport.after(Math.max(ms, pauseMin), shell.start);
      pauseMin = 0;
    },
    end(error) {
      if (status.state === "ended") return;
      pause?.();
      stopListening();
      shell.show({ state: "ended", error });
      shell.drop();
      core.end();
    },
    pushed(event, data) {
      if (event === "ready") {
        attempts = 0;
        refusedBefore = false;
        shell.show({ state: "online", user: data.user, error: null });
        core.ready(data);
      } else if (event === "bye") {
        if (!data.resumable) return shell.end(data);
        pauseMin = data.retry_after_ms ?? 0;
        shell.show({ error: data });
      } else if (event === "auth.expiring") shell.refresh();
      else core.pushed(event, data);
    },
    async refresh() {
      if (typeof token === "string") return;
      const mine = link;
      try {
        const next = await token(present);
        if (mine === link) shell.send("auth.refresh", { token: (present = next) }, () => {});
      } catch (error) {
        shell.tokenFailed(error);
      }
    },
  };
  const core = /** @type {Core} */ (makeCore(shell));
  const stopListening = transport.whenOnline(() => {
    pause?.();
    if (pause) shell.start();
  });
  (async () => {
    core.restore((await shell.tried(() => store.load())) ?? []);
    if (status.state !== "ended") shell.start();
  })();

  const { live } = shell;
  const rooms = /** @type {Map<string, Room>} */ (new Map());
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
    call: (event, data = {}) => core.call(event, data),
    close: () => shell.end(null),
  };
};
