// Names, pictures and presence of users.
import { signal } from "@preact/signals";
import { call, client, isGroup, order, value } from "./chat.js";
import { html } from "./html.js";
import { user as me } from "./session.js";
import { texts } from "./texts.js";

/** @type {Map<string, Signal<string>>} */
const names = new Map();
/** @type {Set<string>} */
let unknown = new Set();

/** Text without what reorders the text around it. @param {string} text */
const plain = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "").trim();

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
export const inlineName = (user) => `\u2068${nameOf(user)}\u2069`;

/** The name of a user, or "You". @param {string} user */
export const youOr = (user) => (user === me.value ? texts.you : nameOf(user));

/** @param {string} user @param {string} [name] */
export function learn(user, name = "") {
  const shown = plain(name);
  if (!/[^\p{C}\p{Z}\p{M}]/u.test(shown)) return; // nothing that can be seen
  const known = names.get(user) ?? signal("");
  known.value = shown;
  names.set(user, known);
}

async function ask() {
  const users = [...unknown].slice(0, 500);
  unknown = new Set();
  try {
    const { profiles } = await call("profiles", { users });
    for (const user in profiles) learn(user, profiles[user].name);
  } catch {
    for (const user of users) names.delete(user); // asked again when it is shown again
  }
}

/** Finds users by the beginning of their names. @param {string} prefix @returns {Promise<string[]>} */
export async function findPeople(prefix) {
  const { people = [] } = (await order("people", { prefix: prefix.trim().slice(0, 32), limit: 8 })) ?? {};
  for (const { user, name } of people) learn(user, name);
  return people.map((/** @type {Member} */ { user }) => user);
}

/** @param {RoomInfo} room */
export const titleOf = (room) =>
  isGroup(room) ? plain(room.title ?? "") || room.room : room.peer === me.value ? texts.yourself : nameOf(room.peer ?? "");

/** @param {string} user */
export const presenceOf = (user) => (client.value && value(client.value.presence)[user]) || { state: "offline" };

/** @param {string} user */
export function presenceText(user) {
  const { state, last_seen } = presenceOf(user);
  return last_seen ? texts.lastSeen(last_seen) : texts.presence[/** @type {"online"} */ (state)];
}

let watched = "";

/** Follows the presence of these users, and of no others. @param {string[]} users */
export function watch(users) {
  const wanted = [...new Set(users)].sort().slice(0, 500);
  const key = [me.peek(), ...wanted].join("\n");
  if (key === watched) return;
  watched = key;
  call("presence", { users: wanted }).catch(() => (watched = ""));
}

/** A coloured disc with the first letter of a name. @param {{id: string, name: string, presence?: string}} props */
export function Avatar({ id, name, presence }) {
  let hue = 0;
  for (const letter of id) hue = (hue * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  const [first = "#"] = name.replace(/[^\p{L}\p{N}\p{Extended_Pictographic}]/gu, "").toLocaleUpperCase();
  return html`<span class="avatar" style=${{ "--hue": hue }} aria-hidden="true">
    ${first}${presence && html`<span class="dot ${presence}"></span>`}
  </span>`;
}

/** A user in a list. @param {{user: string, about?: string}} props */
export const Person = ({ user, about }) => html`
  <${Avatar} id=${user} name=${nameOf(user)} presence=${presenceOf(user).state} />
  <span class="who"><span><bdi>${nameOf(user)}</bdi></span><span class="soft"><bdi>@${user}</bdi>${about && ` · ${about}`}</span></span>`;
