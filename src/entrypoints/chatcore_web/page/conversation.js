// The open room: its header, its messages, and the field below them.
import { useEffect, useRef, useState } from "preact/hooks";
import { attempt, chat, roomAt, value } from "./chat.js";
import { Composer, composing } from "./composer.js";
import { openDialog, RoomDialog } from "./dialogs.js";
import { html, IconButton } from "./html.js";
import { Log } from "./log.js";
import { Avatar, nameOf, plainName, presenceOf, presenceText, titleOf } from "./people.js";
import { hrefOf, showList } from "./router.js";
import { Answers } from "./rooms.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

/** @typedef {import("./chat.js").RoomInfo} RoomInfo */
/** @typedef {import("./router.js").Place} Place */

/** @param {{place: Place}} props */
export function Conversation({ place }) {
  const { state, user: me } = value(chat().status);
  if (!me) return html`<${Header} place=${place} info=${null} /><p class="empty">${state === "offline" ? texts.offline : texts.loading}</p>`;
  const info = value(roomAt(place).info);
  if (info?.me?.state === "invited") return html`<${Header} place=${place} info=${info} />
    <div class="empty"><p>${texts.invited}</p><div class="choices"><${Answers} room=${info.room} /></div></div>`;
  if (!info && "room" in place) return html`<${Stranger} room=${place.room} place=${place} />`;
  return html`<${Open} place=${place} info=${info} />`;
}

/** @param {{place: Place, info: RoomInfo | null}} props */
function Open({ place, info }) {
  const room = roomAt(place);
  const log = useRef(/** @type {Log | null} */ (null));
  const name = info ? titleOf(info) : "with" in place ? nameOf(place.with) : "";
  const typists = value(room.typists);
  const lastOwn = () => room.messages.snapshot().findLast(({ author, kind, state, deleted }) =>
    author === user.value && kind === "message" && state === "sent" && !deleted);
  return html`<${Header} place=${place} info=${info} />
    <${Log} room=${room} info=${info} name=${name} handle=${(/** @type {Log | null} */ made) => (log.current = made)} />
    <div class="typing" aria-hidden="true">${typists.length > 0 && texts.typing(typists.map(plainName))}</div>
    <${Composer} id=${hrefOf(place)} room=${room} name=${name} lastOwn=${lastOwn} onSent=${() => log.current?.goToEnd()} />`;
}

/** @param {{place: Place, info: RoomInfo | null}} props */
function Header({ place, info }) {
  const peer = "with" in place ? place.with : info?.peer;
  const name = info ? titleOf(info) : peer === undefined ? "" : nameOf(peer);
  const presence = peer !== undefined && peer !== user.value ? presenceOf(peer) : undefined;
  const about = peer === user.value ? "" : presence ? presenceText(presence) : info && texts.members(info.members_count ?? 0);
  return html`<header class="head">
    <${IconButton} icon="back" label=${texts.back} class="plain back" onClick=${showList} />
    ${name && html`<${Avatar} id=${peer ?? info?.room ?? ""} name=${name} presence=${presence?.state} />`}
    <h1><bdi>${name}</bdi><span class="soft">${about}</span></h1>
    ${info && html`<${IconButton} icon="more" label=${texts.details} onClick=${() => openDialog(RoomDialog, { room: roomAt(place) })} />`}
  </header>`;
}

/** A room of which the user is no member. @param {{room: string, place: Place}} props */
function Stranger({ room, place }) {
  const [shown, setShown] = useState(/** @type {RoomInfo | null | undefined} */ (undefined));
  useEffect(() => {
    setShown(undefined);
    chat().call("room.get", { room }).then(setShown, () => setShown(null));
  }, [room]);
  return html`<${Header} place=${place} info=${shown ?? null} />
    <div class="empty">${
      shown === undefined
        ? texts.loading
        : shown === null
          ? html`<p>${texts.gone}</p>`
          : html`<p>${texts.joinFirst}</p>
              <button type="button" class="main" onClick=${() => attempt(chat().call("room.join", { room }))}>${texts.join}</button>`
    }</div>`;
}
