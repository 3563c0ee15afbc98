// Dialogs: <dialog> keeps the focus inside, closes on Escape, and gives the focus back.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { attempt, chat, newKey, value } from "./chat.js";
import { forgetDrafts } from "./drafts.js";
import { html, Icon, IconButton } from "./html.js";
import { Avatar, learn, nameOf, plainName, presenceOf, presenceText, titleOf } from "./people.js";
import { hrefOf, placeOf, show, showList } from "./router.js";
import { signOut, user } from "./session.js";
import { texts } from "./texts.js";

/** @typedef {import("./chat.js").RoomInfo} RoomInfo */
/** @typedef {{user: string, role: "owner" | "admin" | "member", state: "member" | "invited" | "banned"}} Member */

/** The open dialogs, the topmost last. @type {import("@preact/signals").Signal<{view: Function, props: object}[]>} */
const open = signal([]);

/** @param {Function} view @param {object} [props] */
export function openDialog(view, props = {}) {
  open.value = [...open.value, { view, props }];
}

export function closeDialog() {
  /** @type {HTMLDialogElement | undefined} */ ([...document.querySelectorAll("dialog")].at(-1))?.close();
}

export const Dialogs = () => open.value.map(({ view: View, props }, index) => html`<${View} key=${index} ...${props} />`);

/** @param {{title: string, children?: unknown, onClose?: () => void}} props */
function Dialog({ title, children, onClose }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => element.current?.showModal(), []);
  const closed = () => {
    open.value = open.value.slice(0, -1);
    onClose?.();
  };
  return html`<dialog ref=${element} aria-labelledby="dialog-title" onClose=${closed}
    onClick=${(/** @type {Event} */ event) => event.target === element.current && closeDialog()}>
    <div class="dialog">
      <header><h2 id="dialog-title"><bdi>${title}</bdi></h2><${IconButton} icon="close" label=${texts.close} onClick=${closeDialog} /></header>
      ${children}
    </div>
  </dialog>`;
}

/**
 * Asks the user for a yes.
 * @param {string} question
 * @param {string} action
 * @returns {Promise<boolean>}
 */
export const ask = (question, action) => new Promise((resolve) => openDialog(Question, { question, action, resolve }));

/** @param {{question: string, action: string, resolve: (yes: boolean) => void}} props */
const Question = ({ question, action, resolve }) => html`<${Dialog} title=${question} onClose=${() => resolve(false)}>
  <footer>
    <button type="button" onClick=${closeDialog}>${texts.cancel}</button>
    <button type="button" class="danger" onClick=${() => (resolve(true), closeDialog())}>${action}</button>
  </footer>
<//>`;

/**
 * A field that finds people by name.
 * @param {{label: string, without: string[], onPick: (user: string) => void}} props
 */
function PersonPicker({ label, without, onPick }) {
  const [prefix, setPrefix] = useState("");
  const [people, setPeople] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    setPeople([]);
    if (!prefix.trim()) return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      const answer = await attempt(chat().call("people", { prefix: prefix.trim(), limit: 8 }));
      if (!answer || !isCurrent) return;
      for (const { user, name } of answer.people) learn(user, name);
      setPeople(answer.people.map((/** @type {{user: string}} */ { user }) => user));
    }, 150);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [prefix]);
  const pick = (/** @type {string} */ user) => {
    setPrefix("");
    onPick(user);
  };
  const offered = people.filter((user) => !without.includes(user));
  return html`<label>${label}
      <input autocomplete="off" spellcheck="false" maxlength="32" placeholder=${texts.findPerson} value=${prefix}
        onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => setPrefix(currentTarget.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Enter" || event.isComposing) return;
          event.preventDefault();
          if (offered[0]) pick(offered[0]);
        }} />
    </label>
    <ul class="people">${offered.map((user) => html`<li key=${user}><button type="button" class="person" onClick=${() => pick(user)}>
      <${Person} user=${user} /></button></li>`)}</ul>`;
}

/** @param {{user: string, about?: string}} props */
const Person = ({ user, about = "" }) => html`<${Avatar} id=${user} name=${nameOf(user)} presence=${presenceOf(user).state} />
  <span class="who"><span><bdi>${nameOf(user)}</bdi></span><span class="soft"><bdi>@${user}</bdi>${about && ` · ${about}`}</span></span>`;

export function NewRoomDialog() {
  const [kind, setKind] = useState("group");
  const [title, setTitle] = useState("");
  const [members, setMembers] = useState(/** @type {string[]} */ ([]));
  const key = useRef(newKey());
  async function create(/** @type {Event} */ event) {
    event.preventDefault();
    const command = { kind, title: title.trim(), members, key: key.current };
    const room = await attempt(chat().call("room.create", command));
    if (!room) return void (key.current = newKey());
    closeDialog();
    show({ room: room.room });
  }
  return html`<${Dialog} title=${texts.newRoom}>
    <form onSubmit=${create}>
      <fieldset class="kinds">${["group", "public"].map((each) => html`<label>
        <input type="radio" name="kind" checked=${kind === each} onChange=${() => setKind(each)} />
        <span>${texts.kind[/** @type {"group"} */ (each)]}<span class="soft">${texts.kindHint[/** @type {"group"} */ (each)]}</span></span>
      </label>`)}</fieldset>
      <label>${texts.title}<input required maxlength="200" value=${title} autofocus
        onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => setTitle(currentTarget.value)} /></label>
      ${members.length > 0 && html`<ul class="chips">${members.map((member) => html`<li key=${member}><bdi>${nameOf(member)}</bdi>
        <${IconButton} icon="close" label=${`${texts.remove} ${plainName(member)}`} onClick=${() => setMembers(members.filter((other) => other !== member))} /></li>`)}</ul>`}
      <${PersonPicker} label=${texts.addPeople} without=${[...members, user.value ?? ""]} onPick=${(/** @type {string} */ member) => setMembers([...members, member])} />
      <footer><button type="button" onClick=${closeDialog}>${texts.cancel}</button><button class="main" disabled=${!title.trim()}>${texts.create}</button></footer>
    </form>
  <//>`;
}

export function PublicRoomsDialog() {
  const [rooms, setRooms] = useState(/** @type {RoomInfo[] | null} */ (null));
  const [next, setNext] = useState(/** @type {string | undefined} */ (undefined));
  async function load() {
    const page = await attempt(chat().call("rooms.public", next ? { after: next } : {}));
    if (!page) return;
    setRooms([...(rooms ?? []), ...page.rooms]);
    setNext(page.next);
  }
  useEffect(() => void load(), []);
  return html`<${Dialog} title=${texts.found.publicRooms}>
    ${rooms?.length === 0 && !next && html`<p class="soft">${texts.noPublicRooms}</p>`}
    <ul class="people">${rooms?.map((room) => html`<li key=${room.room}><a class="person" href=${hrefOf(placeOf(room))} onClick=${closeDialog}>
      <${Avatar} id=${room.room} name=${titleOf(room)} />
      <span class="who"><span><bdi>${titleOf(room)}</bdi></span><span class="soft">${texts.members(room.members_count)}</span></span></a></li>`)}</ul>
    ${next && html`<button type="button" onClick=${load}>${texts.more}</button>`}
  <//>`;
}

/** @param {{room: import("./chat.js").Room}} props */
export function RoomDialog({ room }) {
  const info = value(room.info);
  if (!info) return html`<${Dialog} title=${texts.details}><p>${texts.gone}</p><//>`;
  return html`<${Dialog} title=${titleOf(info)}>
    <p class="soft">${texts.kind[info.kind]}</p>
    <label class="switch"><input type="checkbox" checked=${info.me?.muted}
      onChange=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => mute(info, currentTarget.checked)} /> ${texts.mute}</label>
    ${info.peer === undefined ? html`<${Group} info=${info} />` : info.peer !== user.value && html`<${Peer} peer=${info.peer} />`}
  <//>`;
}

/** @param {RoomInfo} info @param {boolean} muted */
const mute = (info, muted) => attempt(chat().call("mark", { room: info.room, muted }));

/** @param {{peer: string}} props */
function Peer({ peer }) {
  const [blocked, setBlocked] = useState(/** @type {string[] | undefined} */ (undefined));
  const load = async () => setBlocked((await attempt(chat().call("blocks", {})))?.users);
  useEffect(() => void load(), [peer]);
  const isBlocked = blocked?.includes(peer);
  const change = async () => {
    if (!isBlocked && !(await ask(texts.blockQuestion(plainName(peer)), texts.block))) return;
    await attempt(chat().call(isBlocked ? "unblock" : "block", { user: peer }));
    await load();
  };
  return html`<p class="person"><${Person} user=${peer} about=${presenceText(presenceOf(peer))} /></p>
    ${blocked && html`<button type="button" class=${isBlocked ? "" : "danger"} onClick=${change}>${isBlocked ? texts.unblock : texts.block}</button>`}`;
}

/** @param {{info: RoomInfo}} props */
function Group({ info }) {
  const { room, head, me } = info;
  const [members, setMembers] = useState(/** @type {Member[]} */ ([]));
  const [title, setTitle] = useState(info.title ?? "");
  const isOwner = me.role === "owner";
  const isAdmin = isOwner || me.role === "admin";
  useEffect(() => {
    let isCurrent = true;
    (async () => {
      /** @type {Member[]} */
      const all = [];
      for (let after; all.length < 1000; ) {
        const page = await attempt(chat().call("room.members", { room, limit: 200, ...(after && { after }) }));
        all.push(...(page?.members ?? []));
        if (!(after = page?.next)) break;
      }
      if (isCurrent) setMembers(all);
    })();
    return () => (isCurrent = false);
  }, [room, head]);

  /** @param {string} event @param {object} fields */
  const change = (event, fields) => attempt(chat().call(event, { room, key: newKey(), ...fields }));
  const leave = async () => {
    if (!(await ask(texts.leaveQuestion, texts.leave)) || !(await change("room.leave", {}))) return;
    closeDialog();
    showList();
  };

  /** What the user may do with a member. @param {Member} member */
  function actionsFor({ user: member, role, state }) {
    if (member === user.value) return me.role === "member" ? [] : ["owner", "admin", "member"].slice(["owner", "admin"].indexOf(me.role) + 1);
    if (!isAdmin || (!isOwner && role !== "member")) return [];
    if (state === "banned") return ["room.unban"];
    if (state === "invited") return ["withdraw", "room.ban"];
    return [...(isOwner ? ["owner", "admin", "member"].filter((other) => other !== role) : []), "room.remove", "room.ban"];
  }

  /** @param {Member} member @param {string} action */
  function act({ user }, action) {
    if (action in texts.roles) return change("room.role", { user, role: action });
    return change(action === "withdraw" ? "room.remove" : action, { user });
  }

  return html`
    ${isAdmin && html`<form class="row" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), change("room.update", { title: title.trim() }))}>
      <label>${texts.title}<input required maxlength="200" value=${title}
        onInput=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => setTitle(currentTarget.value)} /></label>
      <button disabled=${!title.trim() || title.trim() === info.title}>${texts.save}</button>
    </form>
    <${PersonPicker} label=${texts.invite} without=${members.filter(({ state }) => state !== "banned").map(({ user }) => user)}
      onPick=${(/** @type {string} */ member) => change("room.invite", { user: member })} />`}
    <h3>${texts.members(info.members_count)}</h3>
    <ul class="people">${members.map((member) => html`<li key=${member.user} class="person">
      <${Person} user=${member.user} about=${texts.states[member.state] || (member.role !== "member" ? texts.roles[member.role] : "")} />
      ${actionsFor(member).length > 0 && html`<details class="menu">
        <summary aria-label=${`${texts.more}: ${plainName(member.user)}`}><${Icon} name="more" /></summary>
        <div onClick=${(/** @type {{currentTarget: Element}} */ { currentTarget }) => currentTarget.closest("details")?.removeAttribute("open")}>
          ${actionsFor(member).map((action) => html`<button type="button" onClick=${() => act(member, action)}>${texts.actions[/** @type {"owner"} */ (action)]}</button>`)}
        </div>
      </details>`}
    </li>`)}</ul>
    <footer><button type="button" class="danger" onClick=${leave}>${texts.leave}</button></footer>`;
}

export function AccountDialog() {
  const [blocked, setBlocked] = useState(/** @type {string[]} */ ([]));
  const load = async () => setBlocked((await attempt(chat().call("blocks", {})))?.users ?? []);
  useEffect(() => void load(), []);
  const name = user.value ?? "";
  return html`<${Dialog} title=${texts.account}>
    <p class="person"><${Person} user=${name} /></p>
    ${blocked.length > 0 && html`<h3>${texts.blocked}</h3><ul class="people">${blocked.map((each) => html`<li key=${each} class="person"><${Person} user=${each} />
      <button type="button" onClick=${() => attempt(chat().call("unblock", { user: each })).then(load)}>${texts.unblock}</button></li>`)}</ul>`}
    <h3>${texts.keys}</h3>
    <dl class="keys">${texts.keyList.map(([key, text]) => html`<dt><kbd>${key}</kbd></dt><dd>${text}</dd>`)}</dl>
    <footer><a href="docs">${texts.documents}</a>
      <button type="button" class="main" onClick=${() => (closeDialog(), attempt(signOut().then(forgetDrafts)))}>${texts.signOut}</button></footer>
  <//>`;
}
