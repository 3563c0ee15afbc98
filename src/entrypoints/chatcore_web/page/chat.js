// The connection of the signed-in user, and what all parts of the page share.
import { effect, signal } from "@preact/signals";
import { browserStore, connect } from "chatcore-client";
import { base, end, token, user } from "./session.js";
import { texts } from "./texts.js";

/** @type {Signal<Client | null>} */
export const client = signal(null);
/** A short text about what has just failed. */
export const toast = signal("");
/** What a screen reader says next. The number tells equal lines apart. */
export const announcement = signal({ text: "", number: 0 });

/** @type {WeakMap<Live<any>, Signal<any>>} */
const signals = new WeakMap();

/**
 * The present value of a live value. A component that reads it renders again when it changes.
 * @template T
 * @param {Live<T>} live
 * @returns {T}
 */
export function value(live) {
  let found = signals.get(live);
  if (!found) {
    let stop = () => {};
    found = signal(live.snapshot(), {
      watched() {
        stop = live.subscribe(() => (this.value = live.snapshot()));
        this.value = live.snapshot();
      },
      unwatched: () => stop(),
    });
    signals.set(live, found);
  }
  return found.value;
}

// A client lives as long as its user is signed in.
effect(() => {
  const name = user.value;
  if (!name) return;
  const opened = connect({ url: base, token, store: browserStore(`chatcore ${base} ${name}`) });
  const stop = opened.status.subscribe(() => {
    const { state, error } = opened.status.snapshot();
    if (state === "ended") end(texts.ended(error?.code));
  });
  client.value = opened;
  return () => {
    stop();
    client.value = null;
    opened.close();
  };
});

export const chat = () => /** @type {Client} */ (client.value);

/** @param {string} event @param {object} data */
export const call = (event, data) => chat().call(event, data);

/** @param {Place} place */
export const roomAt = (place) => ("with" in place ? chat().room({ with: place.with }) : chat().room(place.room));

/** @param {RoomInfo} room */
export const isGroup = (room) => room.peer === undefined;

/**
 * Shows the error of a command that failed. Returns its answer, or undefined.
 * @template T
 * @param {Promise<T>} command
 * @returns {Promise<T | undefined>}
 */
export async function attempt(command) {
  try {
    return await command;
  } catch (error) {
    say(texts.error(/** @type {Refusal} */ (error)));
  }
}

/** Sends a command, and shows its error if it fails. @param {string} event @param {object} data */
export const order = (event, data) => attempt(call(event, data));

/** A random key of a command. */
export const newKey = () => crypto.getRandomValues(new Uint32Array(3)).join("-");

/** @type {ReturnType<typeof setTimeout>} */
let timer;

/** @param {string} text */
export function say(text) {
  toast.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (toast.value = ""), 8000);
}

/** @param {string} text */
export function announce(text) {
  announcement.value = { text, number: announcement.peek().number + 1 };
}
