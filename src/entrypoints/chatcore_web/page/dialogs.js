// Dialogs: <dialog> keeps the focus inside, closes on Escape, and gives the focus back.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { attempt, isGroup, newKey, order, value } from "./chat.js";
import { forgetDrafts } from "./drafts.js";
import { html, Icon, IconButton, typed } from "./html.js";
import { Avatar, findPeople, inlineName, nameOf, Person, presenceText, titleOf } from "./people.js";
import { hrefTo, showList } from "./router.js";
import { signOut, user } from "./session.js";
import { texts } from "./texts.js";

/** The open dialogs, the topmost last. @type {Signal<{view: Function, props: object}[]>} */
const open = signal([]);

/** @param {Function} view @param {object} [props] */
export function openDialog(view, props = {}) {
  open.value = [...open.value, { view, props }];
}

export const closeDialog = () => [...document.querySelectorAll("dialog")].at(-1)?.close();

export const Dialogs = () => open.value.map(({ view: View, props }, index) => html`<${View} key=${index} ...${props} />`);

/** @param {{title: string, children?: unknown, onClose?: () => void}} props */
function Dialog({ title, children, onClose }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => element.current?.showModal(), []);
  const closed = () => {
    open.value = open.value.slice(0, -1);
    onClose?.();
  };
  const onClick = (/** @type {Event} */ { target }) => target === element.current && closeDialog();
  return html`<dialog ref=${element} aria-label=${title} onClose=${closed} onClick=${onClick}>
    <div class="dialog">
      <header><h2><bdi>${title}</bdi></h2><${IconButton} icon="close" label=${texts.close} onClick=${closeDialog} /></header>
      ${children}
    </div>
  </dialog>`;
}

/** Asks the user for a yes. @param {string} question @param {string} action @returns {Promise<boolean>} */
export const ask = (question, action) => new Promise((resolve) => openDialog(Question, { question, action, resolve }));

/** @param {{question: string, action: string, resolve: (yes: boolean) => void}} props */
const Question = ({ question, action, resolve }) => html`<${Dialog} title=${question} onClose=${() => resolve(false)}>
  <footer>
    <button type="button" onClick=${closeDialog}>${texts.cancel}</button>
    <button type="button" class="danger" onClick=${() => (resolve(true), closeDialog())}>${action}</button>
  </footer>
<//>`;

/** What a command answers, and a function that asks again. @template T @param {() => Promise<T>} load @param {unknown[]} inputs */
function useAnswer(load, inputs) {
  const [answer, setAnswer] = useState(/** @type {T | undefined} */ (undefined));
  const again = () => load().then(setAnswer);
  useEffect(() => void again(), inputs);
  return /** @type {const} */ ([answer, again]);
}

/** A field that finds people by name. @param {{label: string, without: string[], onPick: (user: string) => void}} props */
function PersonPicker({ label, without, onPick }) {
  const [prefix, setPrefix] = useState("");
  const [people, setPeople] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    setPeople([]);
    if (!prefix.trim()) return;
    let isCurrent = true;
    const timer = setTimeout(() => findPeople(prefix).then((found) => isCurrent && setPeople(found)), 150);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [prefix]);
  const offered = people.filter((user) => !without.includes(user));
  const pick = (/** @type {string} */ user) => {
    setPrefix("");
    onPick(user);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (offered[0]) pick(offered[0]);
  };
  return html`<label>${label}
      <input autocomplete="off" spellcheck="false" maxlength="32" placeholder=${texts.findPerson} value=${prefix} onInput=${typed(setPrefix)} onKeyDown=${onKeyDown} />
    </label>
    <ul>${offered.map((user) => html`<li key=${user}><button type="button" class="person" onClick=${() => pick(user)}><${Person} user=${user} /></button></li>`)}</ul>`;
}

export function NewRoomDialog() {
  const [kind, setKind] = useState("group");
  const [title, setTitle] = useState("");
  const [members, setMembers] = useState(/** @type {string[]} */ ([]));
  const key = useRef(newKey());
  const create = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const room = await order("room.create", { kind, title: title.trim(), members, key: key.current });
    key.current = newKey();
    if (!room) return;
    closeDialog();
    location.hash = hrefTo(room);
  };
  const kinds = /** @type {const} */ (["group", "public"]);
  return html`<${Dialog} title=${texts.newRoom}>
    <form onSubmit=${create}>
      ${kinds.map((each) => html`<label class="choice">
        <input type="radio" name="kind" checked=${kind === each} onChange=${() => setKind(each)} />
        <span class="who"><span>${texts.kind[each]}</span><span class="soft">${texts.kindHint[each]}</span></span>
      </label>`)}
      <label>${texts.title}<input required maxlength="200" value=${title} autofocus onInput=${typed(setTitle)} /></label>
      ${members.length > 0 && html`<ul class="chips">${members.map((member) => html`<li key=${member}><bdi>${nameOf(member)}</bdi>
        <${IconButton} icon="close" label=${`${texts.remove} ${inlineName(member)}`} onClick=${() => setMembers(members.filter((other) => other !== member))} /></li>`)}</ul>`}
      <${PersonPicker} label=${texts.addPeople} without=${[...members, user.value]} onPick=${(/** @type {string} */ member) => setMembers([...members, member])} />
      <footer><button type="button" onClick=${closeDialog}>${texts.cancel}</button><button class="main" disabled=${!title.trim()}>${texts.create}</button></footer>
    </form>
  <//>`;
}

export function PublicRoomsDialog() {
  const [rooms, setRooms] = useState(/** @type {RoomInfo[]} */ ([]));
  const [page, load] = useAnswer(async () => {
    const next = await order("rooms.public", page?.next ? { after: page.next } : {});
    setRooms([...rooms, ...(next?.rooms ?? [])]);
    return next;
  }, []);
  return html`<${Dialog} title=${texts.publicRooms}>
    ${page && !page.next && !rooms.length && html`<p class="soft">${texts.noPublicRooms}</p>`}
    <ul>${rooms.map((room) => html`<li key=${room.room}><a class="person" href=${hrefTo(room)} onClick=${closeDialog}>
      <${Avatar} id=${room.room} name=${titleOf(room)} />
      <span class="who"><span><bdi>${titleOf(room)}</bdi></span><span class="soft">${texts.members(room.members_count)}</span></span></a></li>`)}</ul>
    ${page?.next && html`<button type="button" onClick=${load}>${texts.more}</button>`}
  <//>`;
}

/** @param {{room: Room}} props */
export function RoomDialog({ room }) {
  const info = value(room.info);
  if (!info) return html`<${Dialog} title=${texts.details}><p>${texts.gone}</p><//>`;
  const muted = !!info.me?.muted;
  return html`<${Dialog} title=${titleOf(info)}>
    <p class="soft">${texts.kind[info.kind]}</p>
    <label class="choice"><input type="checkbox" checked=${muted} onChange=${() => order("mark", { room: info.room, muted: !muted })} />${texts.mute}</label>
    ${isGroup(info) ? html`<${Group} info=${info} />` : info.peer !== user.value && html`<${Peer} peer=${info.peer} />`}
  <//>`;
}

/** @returns {Promise<string[]>} */
const blockedUsers = async () => (await order("blocks", {}))?.users ?? [];

/** @param {{peer: string}} props */
function Peer({ peer }) {
  const [blocked, load] = useAnswer(blockedUsers, [peer]);
  const isBlocked = blocked?.includes(peer);
  const change = async () => {
    if (!isBlocked && !(await ask(texts.blockQuestion(inlineName(peer)), texts.block))) return;
    await order(isBlocked ? "unblock" : "block", { user: peer });
    await load();
  };
  return html`<p class="person"><${Person} user=${peer} about=${presenceText(peer)} /></p>
    ${blocked && html`<button type="button" class=${isBlocked ? "" : "danger"} onClick=${change}>${isBlocked ? texts.unblock : texts.block}</button>`}`;
}

/** @param {{info: RoomInfo}} props */
function Group({ info }) {
  const { room, head, me } = info;
  const [title, setTitle] = useState(info.title ?? "");
  const [members = []] = useAnswer(async () => {
    /** @type {Member[]} */
    const all = [];
    let page;
    do {
      page = /** @type {any} */ (await order("room.members", { room, limit: 200, after: page?.next }));
      all.push(...(page?.members ?? []));
    } while (page?.next && all.length < 1000);
    return all;
  }, [room, head]);
  const isOwner = me.role === "owner";
  const isAdmin = isOwner || me.role === "admin";
  const change = (/** @type {string} */ event, /** @type {object} */ fields) => order(event, { room, key: newKey(), ...fields });

  /** What the user may do with a member. @param {Member} member @returns {(keyof typeof texts.actions)[]} */
  function actionsFor({ user: member, role, state }) {
    const roles = /** @type {Role[]} */ (["owner", "admin", "member"]);
    if (member === user.value) return roles.slice(roles.indexOf(role) + 1);
    if (!isAdmin || (!isOwner && role !== "member")) return [];
    if (state === "banned") return ["room.unban"];
    if (state === "invited") return ["room.remove", "room.ban"];
    return [...(isOwner ? roles.filter((other) => other !== role) : []), "room.remove", "room.ban"];
  }
  const act = (/** @type {string} */ member, /** @type {string} */ action) =>
    action in texts.roles ? change("room.role", { user: member, role: action }) : change(action, { user: member });
  const closeMenu = (/** @type {{currentTarget: Element}} */ { currentTarget }) => currentTarget.closest("details")?.removeAttribute("open");
  const leave = async () => {
    if (!(await ask(texts.leaveQuestion, texts.leave)) || !(await change("room.leave", {}))) return;
    closeDialog();
    showList();
  };
  return html`
    ${isAdmin && html`<form class="row" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), change("room.update", { title: title.trim() }))}>
      <label>${texts.title}<input required maxlength="200" value=${title} onInput=${typed(setTitle)} /></label>
      <button disabled=${!title.trim() || title.trim() === info.title}>${texts.save}</button>
    </form>
    <${PersonPicker} label=${texts.invite} without=${members.flatMap((member) => (member.state === "banned" ? [] : member.user))}
      onPick=${(/** @type {string} */ member) => change("room.invite", { user: member })} />`}
    <h3>${texts.members(info.members_count)}</h3>
    <ul>${members.map((member) => html`<li key=${member.user} class="person">
      <${Person} user=${member.user} about=${texts.states[member.state] || (member.role !== "member" && texts.roles[member.role])} />
      ${actionsFor(member).length > 0 && html`<details class="menu">
        <summary aria-label=${`${texts.more}: ${inlineName(member.user)}`}><${Icon} name="more" /></summary>
        <div onClick=${closeMenu}>${actionsFor(member).map((action) => html`<button type="button" onClick=${() => act(member.user, action)}>${texts.actions[action]}</button>`)}</div>
      </details>`}
    </li>`)}</ul>
    <footer><button type="button" class="danger" onClick=${leave}>${texts.leave}</button></footer>`;
}

export function AccountDialog() {
  const [blocked = [], load] = useAnswer(blockedUsers, []);
  const leave = () => (closeDialog(), attempt(signOut().then(forgetDrafts)));
  return html`<${Dialog} title=${texts.account}>
    <p class="person"><${Person} user=${user.value} /></p>
    ${blocked.length > 0 && html`<h3>${texts.blocked}</h3><ul>${blocked.map((each) => html`<li key=${each} class="person"><${Person} user=${each} />
      <button type="button" onClick=${() => order("unblock", { user: each }).then(load)}>${texts.unblock}</button></li>`)}</ul>`}
    <h3>${texts.keys}</h3>
    <dl>${texts.keyList.map(([key, text]) => html`<dt><kbd>${key}</kbd></dt><dd>${text}</dd>`)}</dl>
    <footer><a href="docs">${texts.documents}</a><button type="button" class="main" onClick=${leave}>${texts.signOut}</button></footer>
  <//>`;
}
