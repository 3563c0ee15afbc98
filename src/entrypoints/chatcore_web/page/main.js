// The chat page. What is served is this source: there is no build.
import { effect } from "@preact/signals";
import { render } from "preact";
import { announce, announcement, client, isGroup, toast, value } from "./chat.js";
import { Conversation } from "./conversation.js";
import { Dialogs } from "./dialogs.js";
import { html } from "./html.js";
import { inlineName, titleOf } from "./people.js";
import { focusSearch, lineOf, Rooms } from "./rooms.js";
import { hrefOf, hrefTo, place, showList } from "./router.js";
import { resume, user } from "./session.js";
import { SignIn } from "./sign_in.js";
import { texts } from "./texts.js";

function App() {
  if (user.value === undefined) return html`<p class="empty">${texts.loading}</p>`;
  if (!client.value) return html`<${SignIn} />`;
  const open = place.value;
  return html`<div class=${`app ${open ? "in-room" : ""}`}>
    ${value(client.value.status).state === "offline" && html`<p class="banner" role="status">${texts.offline}</p>`}
    <${Rooms} />
    <main>${open
      ? html`<${Conversation} key=${hrefOf(open)} place=${open} />`
      : html`<div class="empty"><strong>${texts.pickRoom}</strong><p>${texts.pickRoomHint}</p></div>`}</main>
  </div>
  <${Dialogs} />
  <div class="toast" role="alert">${toast.value}</div>`;
}

const Announcer = () => html`<div class="sr" role="status"><p key=${announcement.value.number}>${announcement.value.text}</p></div>`;

// The title counts unread messages. Messages in rooms that are not open are announced here, those of the open one by its log.
/** @type {Map<string, number>} */
let heads = new Map();
effect(() => {
  const rooms = client.value ? value(client.value.rooms) : [];
  const loud = rooms.filter(({ me }) => !me?.muted);
  const unread = loud.reduce((sum, { me }) => sum + (me?.unread ?? 0), 0);
  const open = rooms.find((room) => place.value && hrefTo(room) === hrefOf(place.value));
  document.title = `${unread ? `(${unread}) ` : ""}${open ? `${titleOf(open)} – ` : ""}chatcore`;
  const before = heads;
  heads = new Map(rooms.map(({ room, head }) => [room, head]));
  if (!before.size) return;
  for (const room of loud) {
    const { last } = room;
    if (room === open || last?.kind !== "message" || last.author === user.peek() || last.seq <= (before.get(room.room) ?? 0)) continue;
    announce(texts.announced(inlineName(last.author), lineOf(last), isGroup(room) ? titleOf(room) : ""));
  }
});

addEventListener("keydown", (event) => {
  if (!client.value || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
  event.preventDefault();
  if (document.querySelector("dialog")) return;
  if (document.getElementById("search")?.checkVisibility()) return focusSearch();
  addEventListener("hashchange", () => requestAnimationFrame(focusSearch), { once: true });
  showList();
});

render(html`<${App} /><${Announcer} />`, /** @type {HTMLElement} */ (document.getElementById("page")));
resume();
