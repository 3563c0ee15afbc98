// What the user has begun to write in each room, kept in this browser until it is sent.
import { signal } from "@preact/signals";
import { base, user } from "./session.js";

const PREFIX = `chatcore draft ${base}`;
/** @type {Map<string, import("@preact/signals").Signal<string>>} */
const drafts = new Map();

/** The draft of a room; a component that reads its value renders again when it changes. @param {string} room */
export function draftOf(room) {
  const key = `${PREFIX} ${user.peek()} ${room}`;
  let draft = drafts.get(key);
  if (!draft) {
    drafts.set(key, (draft = signal(stored(key))));
    draft.subscribe((text) => store(key, text));
  }
  return draft;
}

/** @param {string} key */
function stored(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} text */
function store(key, text) {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // storage is switched off, or full
  }
}

/** Forgets the drafts of all users: whoever signs in next at this browser does not see them. */
export function forgetDrafts() {
  for (const draft of drafts.values()) draft.value = "";
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  } catch {
    // storage is switched off
  }
}
