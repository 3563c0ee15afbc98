/** @import { Transport } from "./types.js" */
import { io } from "socket.io-client";

/** The absolute address of a server, with a final slash. @param {string} url */
export const base = (url) => new URL(url.replace(/\/?$/, "/"), globalThis.location?.href);

// Node 18 has no global `crypto`.
// @ts-ignore
const crypto = globalThis.crypto ?? (await import("node:crypto")).webcrypto;

/** The network, the clock and chance. Tests give `connect` another one. @type {Transport} */
export const transport = {
  open(url, token, { pushed, refused, closed }) {
    const { origin, pathname } = base(url);
    // What comes back after a break is the client's own affair: a new connection has a new token.
    const socket = io(origin, { path: pathname + "socket.io/", auth: { token }, reconnection: false, forceNew: true });
    socket.onAny(pushed);
    socket.on("connect_error", (error) => {
      socket.disconnect();
      // @ts-ignore: only the server's own refusal has `data`
      error.data ? refused(error.data) : closed();
    });
    // @ts-ignore: the close event of a browser's or Node's websocket
    socket.on("disconnect", (_, details) => closed(details?.context?.code));
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
  key: () => crypto.getRandomValues(new Uint32Array(4)).join("-"),
  whenOnline(callback) {
    globalThis.addEventListener?.("online", callback);
    return () => globalThis.removeEventListener?.("online", callback);
  },
};
