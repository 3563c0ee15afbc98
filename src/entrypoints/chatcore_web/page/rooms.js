// The list of rooms, with the field that finds rooms, people and public rooms.
import { computed, effect, signal } from "@preact/signals";
import { chat, client, isGroup, order, value } from "./chat.js";
import { AccountDialog, NewRoomDialog, openDialog, PublicRoomsDialog } from "./dialogs.js";
import { draftOf } from "./drafts.js";
import { html, Icon, IconButton, typed } from "./html.js";
import { Avatar, findPeople, inlineName, nameOf, Person, presenceOf, presenceText, titleOf, watch, youOr } from "./people.js";
import { hrefOf, hrefTo, place } from "./router.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

const query = signal("");
/** @type {Signal<{people: string[], publicRooms: RoomInfo[]}>} */
const found = signal({ people: [], publicRooms: [] });
const isSearching = computed(() => query.value.trim() !== "");

effect(() => {
  const prefix = query.value.trim();
  found.value = { people: [], publicRooms: [] };
  if (!prefix) return;
  const timer = setTimeout(async () => {
    const page = order("rooms.public", { prefix: prefix.slice(0, 32), limit: 8 });
    const people = await findPeople(prefix);
    const { rooms = [] } = (await page) ?? {};
    if (prefix === query.peek().trim()) found.value = { people, publicRooms: rooms };
  }, 150);
  return () => clearTimeout(timer);
});

// The presence of the others in private rooms.
effect(() => {
  if (!client.value || value(client.value.status).state !== "online") return;
  watch(value(client.value.rooms).flatMap(({ peer = "" }) => peer || []));
});

// What was found and opened ends the search.
place.subscribe(() => (query.value = ""));

/** What an entry says, in one line. @param {Said} entry */
export function lineOf(entry) {
  const { kind, author, user: other = "", deleted, body, data, cut } = entry;
  if (kind !== "message") return texts.entry(entry, author === user.value ? texts.you : inlineName(author), inlineName(other));
  return deleted ? texts.deleted : `${body || JSON.stringify(data)}${cut ? "…" : ""}`;
}

/** @param {{room: RoomInfo}} props */
function RoomLink({ room }) {
  const { me, last, peer = "" } = room;
  const name = titleOf(room);
  const href = hrefTo(room);
  const isOpen = place.value && hrefOf(place.value) === href;
  const hasPresence = peer && peer !== user.value;
  const draft = !isOpen && draftOf(href).value;
  const unread = me?.unread ?? 0;
  let line;
  if (value(chat().room(room.room).typists).length) line = html`<em>${texts.typingShort}</em>`;
  else if (draft) line = html`<em>${texts.draft}</em> <bdi>${draft}</bdi>`;
  else if (!last) line = isGroup(room) && `${texts.kind[room.kind]}, ${texts.members(room.members_count)}`;
  else {
    const hasAuthor = last.kind === "message" && (last.author === user.value || isGroup(room));
    line = html`${hasAuthor && html`<bdi>${youOr(last.author).split(" ")[0]}</bdi>: `}<bdi>${lineOf(last)}</bdi>`;
  }
  return html`<a class="room" href=${href} aria-current=${isOpen ? "page" : undefined}>
    <${Avatar} id=${peer || room.room} name=${name} presence=${hasPresence && presenceOf(peer).state} />
    <span class="name"><bdi>${name}</bdi>${hasPresence && html`<span class="sr">, ${presenceText(peer)}</span>`}</span>
    ${last && html`<time datetime=${last.at}>${texts.recently(last.at)}</time>`}
    <span class="last">${line}</span>
    <span class="marks">
      ${me?.muted && html`<${Icon} name="mute" /><span class="sr">${texts.muted}</span>`}
      ${unread > 0 && html`<span class=${`badge ${me.muted ? "dim" : ""}`} aria-hidden="true">${unread > 99 ? "99+" : unread}</span>
        <span class="sr">${texts.unread(unread)}</span>`}
    </span>
  </a>`;
}

/** @param {{room: RoomInfo}} props */
const Invitation = ({ room }) => html`<div class="room">
  <${Avatar} id=${room.room} name=${titleOf(room)} />
  <a class="name" href=${hrefTo(room)}><bdi>${titleOf(room)}</bdi></a>
  <span class="last">${texts.kind[room.kind]}, ${texts.members(room.members_count)}</span>
  <${Answers} room=${room.room} />
</div>`;

/** The buttons that answer an invitation. @param {{room: string}} props */
export const Answers = ({ room }) => html`<div class="choices">
  <button type="button" class="main" onClick=${() => order("room.join", { room })}>${texts.accept}</button>
  <button type="button" onClick=${() => order("room.leave", { room })}>${texts.decline}</button>
</div>`;

/** @param {{title: string, children?: unknown[]}} props */
const Section = ({ title, children }) =>
  children?.length ? html`<h2>${title}</h2><ul>${children.map((child) => html`<li>${child}</li>`)}</ul>` : null;

function Results() {
  const text = query.value.trim().toLocaleLowerCase();
  const rooms = value(chat().rooms);
  const known = new Set(rooms.flatMap(({ room, peer }) => [room, peer]));
  const matching = rooms.filter((room) => `${titleOf(room)}\n${room.peer ?? ""}`.toLocaleLowerCase().includes(text));
  const people = found.value.people.filter((user) => !known.has(user));
  const publicRooms = found.value.publicRooms.filter(({ room }) => !known.has(room));
  return html`
    <${Section} title=${texts.rooms}>${matching.slice(0, 20).map((room) => html`<${RoomLink} room=${room} />`)}<//>
    <${Section} title=${texts.people}>${people.map(
      (user) => html`<a class="person" href=${hrefOf({ with: user })}><${Person} user=${user} /></a>`,
    )}<//>
    <${Section} title=${texts.publicRooms}>${publicRooms.map((room) => html`<${RoomLink} room=${room} />`)}<//>
    ${matching.length + people.length + publicRooms.length === 0 && html`<p class="empty">${texts.nothingFound}</p>`}`;
}

function List() {
  const rooms = value(chat().rooms);
  if (!rooms.length && value(chat().status).state === "connecting") return html`<p class="empty">${texts.loading}</p>`;
  const invitations = rooms.filter(({ me }) => me?.state === "invited");
  return html`
    <${Section} title=${texts.invitations}>${invitations.map((room) => html`<${Invitation} room=${room} />`)}<//>
    <ul>${rooms.map((room) => invitations.includes(room) || html`<li key=${room.room}><${RoomLink} room=${room} /></li>`)}</ul>
    ${!rooms.length && html`<div class="empty"><strong>${texts.noRooms}</strong><p>${texts.noRoomsHint}</p></div>`}
    <button type="button" class="link browse" onClick=${() => openDialog(PublicRoomsDialog)}>${texts.browse}</button>`;
}

const searchField = () => /** @type {HTMLInputElement | null} */ (document.getElementById("search"));

export function focusSearch() {
  searchField()?.focus();
  searchField()?.select();
}

/** Arrow keys go from the field to the rooms, and from room to room. @param {KeyboardEvent} event */
function onKeyDown(event) {
  const { key, target } = event;
  const links = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".rooms a")]);
  const at = links.indexOf(/** @type {HTMLElement} */ (target));
  if (key === "ArrowDown") links[at + 1]?.focus();
  else if (key === "ArrowUp") (links[at - 1] ?? searchField())?.focus();
  else if (key === "Escape" && isSearching.value) {
    query.value = "";
    focusSearch();
  } else {
    if (key === "Enter" && target === searchField() && isSearching.value && !event.isComposing) links[0]?.click();
    return;
  }
  event.preventDefault();
}

export function Rooms() {
  const me = user.value ?? "";
  return html`<nav class="rooms" aria-label=${texts.rooms} onKeyDown=${onKeyDown}>
    <header>
      <button type="button" class="plain" aria-label=${texts.account} title=${texts.account} onClick=${() => openDialog(AccountDialog)}>
        <${Avatar} id=${me} name=${nameOf(me)} />
      </button>
      <input id="search" type="search" autocomplete="off" spellcheck="false" maxlength="32" placeholder=${texts.search}
        aria-label=${texts.search} aria-keyshortcuts="Control+K" value=${query} onInput=${typed((text) => (query.value = text))} />
      <${IconButton} icon="add" label=${texts.newRoom} onClick=${() => openDialog(NewRoomDialog)} />
    </header>
    <div class="list">${isSearching.value ? html`<${Results} />` : html`<${List} />`}</div>
  </nav>`;
}
