// The field in which messages are written, with replies, edits and mentions.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { attempt, call, say } from "./chat.js";
import { draftOf } from "./drafts.js";
import { hasMouse, html, Icon, IconButton } from "./html.js";
import { inlineName, nameOf } from "./people.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

const BODY_BYTES = 16_384;

/** What is being written, if it is not a plain message. @type {Signal<{replyTo?: ChatMessage, editing?: ChatMessage}>} */
const composing = signal({});
/** The text of the edited message: the draft of the room stays beside it. */
const editedText = signal("");
/** The members that a mention may mean, and which of them Enter takes. @type {Signal<{users: string[], at: number}>} */
const suggestions = signal({ users: [], at: 0 });

/** @param {{replyTo?: ChatMessage, editing?: ChatMessage}} what */
export function compose(what) {
  composing.value = what;
  editedText.value = what.editing?.body ?? "";
  suggestions.value = { users: [], at: 0 };
  queueMicrotask(focusComposer);
}

export const focusComposer = () => document.getElementById("composer")?.focus();

/** The members of a room. @param {RoomInfo | null} info @returns {Promise<string[]>} */
async function membersOf(info) {
  if (!info?.room || info.peer) return info?.peer ? [info.peer] : [];
  const { members } = await call("room.members", { room: info.room, limit: 200 }).catch(() => ({ members: [] }));
  return members.flatMap((/** @type {Member} */ { user, state }) => (state === "member" ? user : []));
}

/**
 * @param {object} props
 * @param {string} props.href where the room is; it names the draft
 * @param {Room} props.room
 * @param {string} props.name
 * @param {() => void} props.onSent
 */
export function Composer({ href, room, name, onSent }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const members = useRef(/** @type {string[]} */ ([]));
  const { replyTo, editing } = composing.value;
  const text = editing ? editedText : draftOf(href);
  const isTooLong = text.value.length > BODY_BYTES / 4 && new TextEncoder().encode(text.value).length > BODY_BYTES;
  const canSend = text.value.trim() !== "" && !isTooLong;
  const { users, at } = suggestions.value;

  useEffect(() => {
    composing.value = {};
    if (hasMouse()) focusComposer();
    return () => room.typing(false);
  }, [room]);
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [text.value]);

  async function suggest() {
    const { value = "", selectionStart = 0 } = field.current ?? {};
    if (value.includes("@") && !members.current.length) members.current = await membersOf(room.info.snapshot());
    const prefix = /(?:^|\s)@([^\s@]*)$/.exec(value.slice(0, selectionStart))?.[1].toLocaleLowerCase();
    const isMeant = (/** @type {string} */ member) =>
      ![user.value, prefix].includes(member) && [member, nameOf(member)].some((known) => known.toLocaleLowerCase().startsWith(prefix ?? ""));
    const found = prefix === undefined ? [] : members.current.filter(isMeant);
    suggestions.value = { users: found.slice(0, 6), at: 0 };
  }

  /** @param {string} member */
  function mention(member) {
    const { current } = field;
    if (!current) return;
    const end = current.selectionStart;
    current.setRangeText(`@${member} `, current.value.lastIndexOf("@", end - 1), end, "end");
    text.value = current.value;
    suggestions.value = { users: [], at: 0 };
    current.focus();
  }

  async function send() {
    const body = text.value;
    if (isTooLong) say(texts.tooLong);
    if (!canSend) return;
    if (editing) {
      compose({});
      if (body !== editing.body && !(await attempt(room.edit(editing, body)))) compose({ editing: { ...editing, body } });
      return;
    }
    text.value = "";
    compose({});
    const mentions = members.current.filter((member) => body.toLocaleLowerCase().includes(`@${member}`.toLocaleLowerCase())).slice(0, 50);
    room.send(body, { ...(replyTo && { reply_to: replyTo.seq }), ...(mentions.length && { mentions }) });
    onSent();
  }

  /** The user's last message, to be edited. */
  const lastOwn = () =>
    room.messages.snapshot().findLast(({ author, kind, state, deleted }) =>
      author === user.value && kind === "message" && state === "sent" && !deleted);

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const { key } = event;
    if (event.isComposing || event.keyCode === 229) return; // an input method uses the key
    const step = { ArrowDown: 1, ArrowUp: users.length - 1 }[key];
    if (users.length && step) suggestions.value = { users, at: (at + step) % users.length };
    else if (users.length && (key === "Enter" || key === "Tab")) mention(users[at]);
    else if (users.length && key === "Escape") suggestions.value = { users: [], at: 0 };
    else if (key === "Enter" && !event.shiftKey && hasMouse()) send();
    else if (key === "Escape" && (editing || replyTo)) compose({});
    else if (key === "ArrowUp" && !text.value && !editing && lastOwn()) compose({ editing: lastOwn() });
    else return;
    event.preventDefault();
  }

  /** @param {FieldEvent} event */
  function onInput({ currentTarget }) {
    text.value = currentTarget.value;
    if (!editing) room.typing(currentTarget.value.trim() !== "");
    suggest();
  }

  const label = `${texts.write} ${name}`;
  const action = editing ? texts.save : texts.send;
  return html`<form class="composer" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}>
    ${(editing || replyTo) && html`<div class="context">
      <span>${replyTo ? texts.replyingTo(inlineName(replyTo.author)) : texts.editing}</span>
      <bdi class="line">${(editing ?? replyTo)?.body?.slice(0, 200)}</bdi>
      <${IconButton} icon="close" label=${texts.cancel} onClick=${() => compose({})} />
    </div>`}
    ${users.length > 0 && html`<ul class="suggestions" id="suggestions" role="listbox" aria-label=${texts.mention}>${users.map(
      (member, index) => html`<li role="option" id=${`suggestion-${index}`} aria-selected=${index === at} key=${member}
        onMouseDown=${(/** @type {Event} */ event) => (event.preventDefault(), mention(member))}>
        <bdi>${nameOf(member)}</bdi> <bdi class="soft">@${member}</bdi></li>`,
    )}</ul>`}
    ${isTooLong && html`<p class="failure" role="alert">${texts.tooLong}</p>`}
    <textarea id="composer" ref=${field} rows="1" dir="auto" placeholder=${label} aria-label=${label}
      aria-controls=${users.length ? "suggestions" : undefined} aria-activedescendant=${users.length ? `suggestion-${at}` : undefined}
      value=${text} onInput=${onInput} onKeyDown=${onKeyDown} onClick=${suggest}></textarea>
    <button class="send" aria-label=${action} title=${action} disabled=${!canSend}><${Icon} name="send" /></button>
  </form>`;
}
