/** @import { Transport } from "./types.js" */
import { io } from "socket.io-client";

/** The address of a server with a final slash. @param {string} url */
export const base = (url) => new URL(url.replace(/\/?$/, "/"), globalThis.location?.href);

/** @type {Transport} */
export const transport = {
  open(url, token, { pushed, refused, closed }) {
    const { origin, pathname } = base(url);
    const socket = io(origin, { path: pathname + "socket.io/", auth: { token }, reconnection: false, forceNew: true });
    socket.onAny(pushed);
    socket.on("connect_error", (/** @type {any} */ { data }) => {
      socket.disconnect();
      data ? refused(data) : closed();
    });
    socket.on("disconnect", (_, /** @type {any} */ details) => closed(details?.context?.code));
    return {
      send: (event, data, answered) => socket.emit(event, data, answered),
      close: () => socket.disconnect(),
    };
  },
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  factor: () => 0.5 + Math.random(),
  // 104 random bits in at most 50 characters. Keys are unique, not secret; Node 18 has no global `crypto`.
  key: () => `${Math.random()}${Math.random()}`,
  whenOnline(callback) {
    globalThis.addEventListener?.("online", callback);
    return () => globalThis.removeEventListener?.("online", callback);
  },
};
