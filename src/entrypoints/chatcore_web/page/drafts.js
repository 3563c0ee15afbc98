// What the user has begun to write in each room.
import { signal } from "@preact/signals";
import { user } from "./session.js";
import { forget, keep, kept } from "./storage.js";

/** @type {Map<string, Signal<string>>} */
const drafts = new Map();

/** The draft of a room, kept in this browser until it is sent. @param {string} href */
export function draftOf(href) {
  const name = `draft ${user.peek()} ${href}`;
  let draft = drafts.get(name);
  if (!draft) {
    drafts.set(name, (draft = signal(kept(name))));
    draft.subscribe((text) => keep(name, text));
  }
  return draft;
}

/** Forgets the drafts of all users, so that who signs in next at this browser does not see them. */
export function forgetDrafts() {
  drafts.clear();
  forget("draft ");
}
