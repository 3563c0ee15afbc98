// The list of rooms, with the field that finds rooms, people and public rooms.
import { computed, effect, signal } from "@preact/signals";
import { attempt, chat, client, value } from "./chat.js";
import { AccountDialog, NewRoomDialog, openDialog, PublicRoomsDialog } from "./dialogs.js";
import { draftOf } from "./drafts.js";
import { html, Icon, IconButton } from "./html.js";
import { Avatar, learn, nameOf, presenceOf, presenceText, shortNameOf, titleOf, watch } from "./people.js";
import { hrefOf, place, placeOf } from "./router.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

/** @typedef {import("./chat.js").RoomInfo} RoomInfo */

const query = signal("");
/** @type {import("@preact/signals").Signal<{people: {user: string}[], publicRooms: RoomInfo[]}>} */
const found = signal({ people: [], publicRooms: [] });
const isSearching = computed(() => query.value.trim() !== "");

effect(() => {
  const prefix = query.value.trim().slice(0, 32);
  found.value = { people: [], publicRooms: [] };
  if (!prefix) return;
  const timer = setTimeout(async () => {
    const answers = await attempt(
      Promise.all([chat().call("people", { prefix, limit: 8 }), chat().call("rooms.public", { prefix, limit: 8 })]),
    );
    if (!answers || prefix !== query.value.trim().slice(0, 32)) return;
    const [{ people }, { rooms }] = answers;
    for (const { user, name } of people) learn(user, name);
    found.value = { people, publicRooms: rooms };
  }, 150);
  return () => clearTimeout(timer);
});

// The presence of the others in private rooms.
effect(() => {
  if (!client.value || value(client.value.status).state !== "online") return;
  watch(value(client.value.rooms).flatMap(({ peer }) => (peer === undefined ? [] : [peer])));
});

/** What the last entry of a room says, in one line. @param {NonNullable<RoomInfo["last"]>} entry */
export function lineOf(entry) {
  if (entry.kind !== "message") return texts.entry(entry, shortNameOf(entry.author), shortNameOf(entry.user ?? ""));
  return entry.deleted ? texts.deleted : `${entry.body || JSON.stringify(entry.data)}${entry.cut ? "…" : ""}`;
}

/** @param {{room: RoomInfo}} props */
function RoomLink({ room }) {
  const { me, last, peer } = room;
  const name = titleOf(room);
  const href = hrefOf(placeOf(room));
  const isOpen = place.value && hrefOf(place.value) === href;
  const presence = peer && peer !== user.value ? presenceOf(peer) : undefined;
  const typists = value(chat().room(room.room).typists);
  const draft = isOpen ? "" : draftOf(href).value;
  const unread = (!isOpen || !document.hasFocus()) && me?.unread;
  return html`<a class="room" href=${href} aria-current=${isOpen ? "page" : undefined}>
    <${Avatar} id=${peer ?? room.room} name=${name} presence=${presence?.state} />
    <span class="name"><bdi>${name}</bdi>${presence && html`<span class="sr">, ${presenceText(presence)}</span>`}</span>
    ${last && html`<time datetime=${last.at}>${texts.recently(last.at)}</time>`}
    <span class="last">${
      typists.length
        ? html`<em>${texts.typingShort}</em>`
        : draft
          ? html`<em>${texts.draft}</em> <bdi>${draft}</bdi>`
          : !last
            ? peer === undefined && `${texts.kind[room.kind]}, ${texts.members(room.members_count ?? 0)}`
            : html`${
                last.kind === "message" && (last.author === user.value || peer === undefined) &&
                html`<bdi>${last.author === user.value ? texts.you : nameOf(last.author).split(" ")[0]}</bdi>: `
              }<bdi>${lineOf(last)}</bdi>`
    }</span>
    <span class="marks">
      ${me?.muted && html`<${Icon} name="mute" /><span class="sr">${texts.muted}</span>`}
      ${unread ? html`<span class="badge ${me.muted ? "quiet" : ""}" aria-hidden="true">${unread > 99 ? "99+" : unread}</span>
        <span class="sr">${texts.unread(unread)}</span>` : null}
    </span>
  </a>`;
}

/** @param {{room: RoomInfo}} props */
const Invitation = ({ room }) => html`<div class="room">
  <${Avatar} id=${room.room} name=${titleOf(room)} />
  <a class="name" href=${hrefOf(placeOf(room))}><bdi>${titleOf(room)}</bdi></a>
  <span class="last">${texts.kind[room.kind]}, ${texts.members(room.members_count ?? 0)}</span>
  <span class="choices"><${Answers} room=${room.room} /></span>
</div>`;

/** The buttons that answer an invitation. @param {{room: string}} props */
export const Answers = ({ room }) => html`
  <button type="button" class="main" onClick=${() => attempt(chat().call("room.join", { room }))}>${texts.accept}</button>
  <button type="button" onClick=${() => attempt(chat().call("room.leave", { room }))}>${texts.decline}</button>`;

/** @param {{title: string, children?: unknown[]}} props */
const Section = ({ title, children }) =>
  children?.length ? html`<h2>${title}</h2><ul>${children.map((child) => html`<li>${child}</li>`)}</ul>` : null;

function Results() {
  const text = query.value.trim().toLocaleLowerCase();
  const rooms = value(chat().rooms).filter((room) =>
    [titleOf(room), room.peer ?? ""].some((name) => name.toLocaleLowerCase().includes(text)),
  );
  const ids = new Set(rooms.flatMap(({ room, peer }) => [room, peer]));
  const people = found.value.people.filter(({ user }) => !ids.has(user));
  const publicRooms = found.value.publicRooms.filter(({ room }) => !ids.has(room));
  return html`
    <${Section} title=${texts.found.rooms}>${rooms.slice(0, 20).map((room) => html`<${RoomLink} room=${room} />`)}<//>
    <${Section} title=${texts.found.people}>${people.map(({ user }) => html`<${PersonLink} user=${user} />`)}<//>
    <${Section} title=${texts.found.publicRooms}>${publicRooms.map((room) => html`<${RoomLink} room=${room} />`)}<//>
    ${!rooms.length && !people.length && !publicRooms.length && html`<p class="empty">${texts.nothingFound}</p>`}`;
}

/** @param {{user: string}} props */
const PersonLink = ({ user }) => html`<a class="room" href=${hrefOf({ with: user })}>
  <${Avatar} id=${user} name=${nameOf(user)} />
  <span class="name"><bdi>${nameOf(user)}</bdi></span>
  <span class="last"><bdi>${user}</bdi></span>
</a>`;

function List() {
  const rooms = value(chat().rooms);
  const isInvitation = (/** @type {RoomInfo} */ room) => room.me?.state === "invited";
  const invitations = rooms.filter(isInvitation);
  if (!rooms.length && value(chat().status).state === "connecting") return html`<p class="empty">${texts.loading}</p>`;
  return html`
    <${Section} title=${texts.invitations}>${invitations.map((room) => html`<${Invitation} key=${room.room} room=${room} />`)}<//>
    <ul>${rooms.map((room) => isInvitation(room) || html`<li key=${room.room}><${RoomLink} room=${room} /></li>`)}</ul>
    ${!rooms.length && html`<div class="empty"><strong>${texts.noRooms}</strong><p>${texts.noRoomsHint}</p></div>`}
    <button type="button" class="quiet browse" onClick=${() => openDialog(PublicRoomsDialog)}>${texts.browse}</button>`;
}

const links = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".rooms a")]);

/** Arrow keys go from the field to the rooms, and from room to room. @param {KeyboardEvent} event */
function onKeyDown(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const all = links();
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const field = /** @type {HTMLInputElement} */ (document.getElementById("search"));
  if (step) {
    event.preventDefault();
    (all[at + step] ?? (at + step < 0 ? field : all[at]))?.focus();
  } else if (event.key === "Enter" && event.target === field && !event.isComposing) {
    if (isSearching.value) all[0]?.click();
  } else if (event.key === "Escape" && isSearching.value) {
    query.value = "";
    field.focus();
  }
}

export function focusSearch() {
  const field = /** @type {HTMLInputElement | null} */ (document.getElementById("search"));
  field?.focus();
  field?.select();
}

// A room that was found and opened ends the search.
place.subscribe(() => (query.value = ""));

export function Rooms() {
  return html`<nav class="rooms" aria-label=${texts.rooms} onKeyDown=${onKeyDown}>
    <header>
      <button type="button" class="plain self" aria-label=${texts.account} title=${texts.account} onClick=${() => openDialog(AccountDialog)}>
        <${Avatar} id=${user.value ?? ""} name=${nameOf(user.value ?? "")} />
      </button>
      <input id="search" type="search" autocomplete="off" spellcheck="false" maxlength="32" placeholder=${texts.search}
        aria-label=${texts.search} title=${texts.searchHint} aria-keyshortcuts="Control+K"
        value=${query} onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => (query.value = currentTarget.value)} />
      <${IconButton} icon="add" label=${texts.newRoom} onClick=${() => openDialog(NewRoomDialog)} />
    </header>
    <div class="list" role="region" aria-label=${texts.rooms}>${isSearching.value ? html`<${Results} />` : html`<${List} />`}</div>
  </nav>`;
}
