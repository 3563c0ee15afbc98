// The chat page. What is served is this source: there is no build.
import { effect } from "@preact/signals";
import { render } from "preact";
import { announce, announcement, client, toast, value } from "./chat.js";
import { Conversation } from "./conversation.js";
import { Dialogs } from "./dialogs.js";
import { html } from "./html.js";
import { plainName, titleOf } from "./people.js";
import { focusSearch, lineOf, Rooms } from "./rooms.js";
import { hrefOf, place, placeOf, showList } from "./router.js";
import { resume, user } from "./session.js";
import { SignIn } from "./sign_in.js";
import { texts } from "./texts.js";

function App() {
  if (user.value === undefined) return html`<p class="empty">${texts.loading}</p>`;
  if (!client.value) return html`<${SignIn} />`;
  const { state } = value(client.value.status);
  const open = place.value;
  return html`<div class="app ${open ? "in-room" : ""}">
    ${state === "offline" && html`<p class="banner" role="status">${texts.offline}</p>`}
    <${Rooms} />
    <main>${open
      ? html`<${Conversation} key=${hrefOf(open)} place=${open} />`
      : html`<div class="empty"><strong>${texts.pickRoom}</strong><p>${texts.pickRoomHint}</p></div>`}</main>
  </div>
  <${Dialogs} />
  <div class="toast" role="alert">${toast.value}</div>`;
}

const Announcer = () => html`<div class="sr" role="status"><p key=${announcement.value.number}>${announcement.value.text}</p></div>`;

// The title counts unread messages, and messages in other rooms are announced.
/** @type {Map<string, number>} */
let heads = new Map();
effect(() => {
  const rooms = client.value ? value(client.value.rooms) : [];
  const counted = rooms.filter(({ me }) => !me?.muted).reduce((sum, { me }) => sum + (me?.unread ?? 0), 0);
  const open = place.value && hrefOf(place.value);
  const shown = rooms.find((room) => hrefOf(placeOf(room)) === open);
  document.title = `${counted ? `(${counted}) ` : ""}${shown ? `${titleOf(shown)} – ` : ""}chatcore`;
  const before = heads;
  heads = new Map(rooms.map(({ room, head }) => [room, head]));
  if (!before.size) return;
  for (const room of rooms) {
    const { last, me } = room;
    const isNew = last && last.kind === "message" && last.seq > (before.get(room.room) ?? 0) && last.author !== user.peek();
    if (isNew && !me?.muted && room !== shown) announce(texts.announced(plainName(last.author), lineOf(last), room.peer === undefined ? titleOf(room) : ""));
  }
});

addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k" && client.value) {
    event.preventDefault();
    if (document.querySelector("dialog")) return;
    if (!document.getElementById("search")?.checkVisibility()) showList();
    requestAnimationFrame(focusSearch);
  }
});

const root = /** @type {HTMLElement} */ (document.getElementById("page"));
render(html`<${App} /><${Announcer} />`, root);
resume();
