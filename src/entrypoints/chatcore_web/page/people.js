// Names, pictures and presence of users.
import { signal } from "@preact/signals";
import { chat, client, value } from "./chat.js";
import { html } from "./html.js";
import { user as me } from "./session.js";
import { texts } from "./texts.js";

/** @type {Map<string, import("@preact/signals").Signal<string>>} */
const names = new Map();
/** @type {Set<string>} */
let unknown = new Set();

/** Text without what reorders the text around it. @param {string} text */
const plain = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "").trim();
/** A name as a part of a longer text. @param {string} name */
const isolated = (name) => `\u2068${name}\u2069`;

/** The name of a user; a component that reads it renders again when it is known. @param {string} user */
export function nameOf(user) {
  let name = names.get(user);
  if (!name) {
    names.set(user, (name = signal("")));
    if (!unknown.size) setTimeout(ask);
    unknown.add(user);
  }
  return name.value || plain(user) || user;
}

/** The name of a user as a part of a longer text. @param {string} user */
export const plainName = (user) => isolated(nameOf(user));

/** The name of a user, or "You". @param {string} user */
export const shortNameOf = (user) => (user === me.value ? texts.you : plainName(user));

/** @param {string} user @param {string} [name] */
export function learn(user, name) {
  const shown = plain(name ?? "");
  if (!/[^\p{C}\p{Z}\p{M}]/u.test(shown)) return; // nothing that can be seen
  const known = names.get(user);
  if (known) known.value = shown;
  else names.set(user, signal(shown));
}

async function ask() {
  const users = [...unknown].slice(0, 500);
  unknown = new Set();
  try {
    const { profiles } = await chat().call("profiles", { users });
    for (const user in profiles) learn(user, profiles[user].name);
  } catch {
    for (const user of users) names.delete(user); // asked again when it is shown again
  }
}

/** @param {{room: string, peer?: string, title?: string}} room */
export const titleOf = (room) =>
  room.peer === undefined ? plain(room.title ?? "") || room.room : room.peer === me.value ? texts.yourself : nameOf(room.peer);

/** @param {string} user */
export const presenceOf = (user) => (client.value && value(client.value.presence)[user]) || { state: "offline" };

/** @param {{state: string, last_seen?: string}} presence */
export const presenceText = ({ state, last_seen }) =>
  last_seen ? texts.lastSeen(last_seen) : texts.presence[/** @type {"online"} */ (state)];

let watched = "";

/** Follows the presence of these users, and of no others. @param {string[]} users */
export function watch(users) {
  const wanted = JSON.stringify([...new Set(users)].sort().slice(0, 500));
  if (wanted === watched) return;
  watched = wanted;
  chat().call("presence", { users: JSON.parse(wanted) }).catch(() => (watched = ""));
}

/**
 * A coloured disc with the first letter of a name.
 * @param {{id: string, name: string, presence?: string}} props
 */
export function Avatar({ id, name, presence }) {
  let hue = 0;
  for (const letter of id) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  const first = Array.from(name.replace(/[^\p{L}\p{N}\p{Extended_Pictographic}]/gu, "") || "#")[0].toLocaleUpperCase();
  return html`<span class="avatar" style=${{ "--hue": hue }} aria-hidden="true">
    ${first}${presence && html`<span class="dot ${presence}"></span>`}
  </span>`;
}
