// The open room: its header, its messages, and the field below them.
import { useEffect, useRef, useState } from "preact/hooks";
import { call, chat, order, roomAt, value } from "./chat.js";
import { Composer } from "./composer.js";
import { openDialog, RoomDialog } from "./dialogs.js";
import { html, IconButton } from "./html.js";
import { Log } from "./log.js";
import { Avatar, inlineName, nameOf, presenceOf, presenceText, titleOf } from "./people.js";
import { hrefOf, showList } from "./router.js";
import { Answers } from "./rooms.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

/** @param {{place: Place}} props */
export function Conversation({ place }) {
  if (!value(chat().status).user) return html`<${Header} place=${place} info=${null} /><p class="empty">${texts.loading}</p>`;
  const info = value(roomAt(place).info);
  if (info?.me?.state === "invited")
    return html`<${Header} place=${place} info=${info} /><div class="empty"><p>${texts.invited}</p><${Answers} room=${info.room} /></div>`;
  if (!info && "room" in place) return html`<${Stranger} place=${place} />`;
  return html`<${Open} place=${place} info=${info} />`;
}

/** @param {{place: Place, info: RoomInfo | null}} props */
function Open({ place, info }) {
  const room = roomAt(place);
  const log = useRef(/** @type {Log | null} */ (null));
  const name = info ? titleOf(info) : "with" in place ? nameOf(place.with) : "";
  const typists = value(room.typists);
  return html`<${Header} place=${place} info=${info} />
    <${Log} ref=${log} room=${room} info=${info} name=${name} />
    <div class="typing">${typists.length > 0 && texts.typing(typists.map(inlineName))}</div>
    <${Composer} href=${hrefOf(place)} room=${room} name=${name} onSent=${() => log.current?.goToEnd()} />`;
}

/** @param {{place: Place, info: RoomInfo | null}} props */
function Header({ place, info }) {
  const peer = "with" in place ? place.with : (info?.peer ?? "");
  const name = info ? titleOf(info) : peer && nameOf(peer);
  const hasPresence = peer && peer !== user.value;
  return html`<header class="head">
    <${IconButton} icon="back" label=${texts.back} class="plain back" onClick=${showList} />
    ${name && html`<${Avatar} id=${peer || info?.room} name=${name} presence=${hasPresence && presenceOf(peer).state} />`}
    <h1><span><bdi>${name}</bdi></span><span class="soft">${hasPresence ? presenceText(peer) : info && !peer && texts.members(info.members_count)}</span></h1>
    ${info?.me && html`<${IconButton} icon="more" label=${texts.details} onClick=${() => openDialog(RoomDialog, { room: roomAt(place) })} />`}
  </header>`;
}

/** A room of which the user is no member. @param {{place: {room: string}}} props */
function Stranger({ place }) {
  const [info, setInfo] = useState(/** @type {RoomInfo | null | undefined} */ (undefined));
  useEffect(() => void call("room.get", place).then(setInfo, () => setInfo(null)), []);
  return html`<${Header} place=${place} info=${info ?? null} />
    <div class="empty"><p>${info === undefined ? texts.loading : info ? texts.joinFirst : texts.gone}</p>
    ${info && html`<button type="button" class="main" onClick=${() => order("room.join", place)}>${texts.join}</button>`}</div>`;
}
