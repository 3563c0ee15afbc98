// The field in which messages are written, with replies, edits and mentions.
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { attempt, chat, say } from "./chat.js";
import { draftOf } from "./drafts.js";
import { html, Icon, IconButton } from "./html.js";
import { nameOf, plainName } from "./people.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

/** @typedef {import("./chat.js").Message} Message */

const BODY_BYTES = 16_384;

/** What is being written besides a plain message. @type {import("@preact/signals").Signal<{replyTo?: Message, editing?: Message}>} */
export const composing = signal({});
/** The text of the edited message. The draft of the room is kept beside it. */
const editedText = signal("");
/** @type {import("@preact/signals").Signal<{users: string[], at: number}>} */
const suggestions = signal({ users: [], at: 0 });

/** @param {{replyTo?: Message, editing?: Message}} what */
export function compose(what) {
  composing.value = what;
  if (what.editing) editedText.value = what.editing.body ?? "";
  suggestions.value = { users: [], at: 0 };
  queueMicrotask(focusComposer);
}

export const focusComposer = () => document.getElementById("composer")?.focus();

/** The other members of a room, as far as they can be mentioned. @param {import("./chat.js").RoomInfo | null} info */
async function others(info) {
  if (!info || info.peer !== undefined) return info?.peer ? [info.peer] : [];
  const { members } = await chat().call("room.members", { room: info.room, limit: 200 });
  return members.filter((/** @type {{state: string}} */ { state }) => state === "member").map((/** @type {{user: string}} */ { user }) => user);
}

/**
 * @param {{id: string, room: import("./chat.js").Room, name: string, lastOwn: () => Message | undefined, onSent: () => void}} props
 * `id` names the draft.
 */
export function Composer({ id, room, name, lastOwn, onSent }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const members = useRef(/** @type {Promise<string[]> | undefined} */ (undefined));
  const { replyTo, editing } = composing.value;
  const text = editing ? editedText : draftOf(id);
  const isTooLong = text.value.length > BODY_BYTES / 4 && new TextEncoder().encode(text.value).length > BODY_BYTES;
  const canSend = text.value.trim() !== "" && !isTooLong;

  useEffect(() => {
    composing.value = {};
    if (matchMedia("(pointer: fine)").matches) focusComposer();
    return () => room.typing(false);
  }, [room]);
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [text.value, id]);

  async function suggest() {
    const { current } = field;
    const typed = /(?:^|\s)@([^\s@]*)$/.exec(current?.value.slice(0, current.selectionStart) ?? "");
    if (!typed) return void (suggestions.value = { users: [], at: 0 });
    const prefix = typed[1].toLocaleLowerCase();
    members.current ??= others(room.info.snapshot()).catch(() => []);
    const users = (await members.current).filter((member) =>
      [member, nameOf(member)].some((known) => known.toLocaleLowerCase().startsWith(prefix)) && member !== user.value,
    );
    suggestions.value = { users: users.slice(0, 6), at: 0 };
  }

  /** @param {string} member */
  function mention(member) {
    const { current } = field;
    if (!current) return;
    const end = current.selectionStart;
    const begin = current.value.lastIndexOf("@", end - 1);
    current.setRangeText(`@${member} `, begin, end, "end");
    text.value = current.value;
    suggestions.value = { users: [], at: 0 };
    current.focus();
  }

  /** @param {string} body */
  async function mentionsIn(body) {
    if (!body.includes("@")) return [];
    const words = body.toLocaleLowerCase();
    return (await (members.current ?? others(room.info.snapshot())).catch(() => /** @type {string[]} */ ([])))
      .filter((member) => words.includes(`@${member.toLocaleLowerCase()}`))
      .slice(0, 50);
  }

  async function send() {
    const body = text.value;
    if (!canSend) return isTooLong && say(texts.tooLong);
    if (editing) {
      compose({});
      if (body !== editing.body && !(await attempt(room.edit(editing, body)))) compose({ editing: { ...editing, body } });
      return;
    }
    text.value = "";
    compose({});
    const mentions = await mentionsIn(body);
    room.send(body, { ...(replyTo && { reply_to: replyTo.seq }), ...(mentions.length && { mentions }) });
    onSent();
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (event.isComposing || event.keyCode === 229) return; // an input method uses the key
    const { users, at } = suggestions.value;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (users.length && step) suggestions.value = { users, at: (at + step + users.length) % users.length };
    else if (users.length && (event.key === "Enter" || event.key === "Tab")) mention(users[at]);
    else if (users.length && event.key === "Escape") suggestions.value = { users: [], at: 0 };
    else if (event.key === "Enter" && !event.shiftKey && matchMedia("(pointer: fine)").matches) send();
    else if (event.key === "Escape" && (editing || replyTo)) compose({});
    else if (event.key === "ArrowUp" && !text.value && !editing && lastOwn()) compose({ editing: lastOwn() });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {{currentTarget: HTMLTextAreaElement}} event */
  function onInput({ currentTarget }) {
    text.value = currentTarget.value;
    if (!editing) room.typing(currentTarget.value.trim() !== "");
    suggest();
  }

  const { users, at } = suggestions.value;
  return html`<form class="composer" onSubmit=${(/** @type {Event} */ event) => (event.preventDefault(), send())}>
    ${(editing || replyTo) && html`<div class="context">
      <span>${editing ? texts.editing : texts.replyingTo(plainName(replyTo?.author ?? ""))}</span>
      <bdi class="line">${(editing ?? replyTo)?.body?.slice(0, 200)}</bdi>
      <${IconButton} icon="close" label=${texts.cancel} onClick=${() => compose({})} />
    </div>`}
    ${users.length > 0 && html`<ul class="suggestions" id="suggestions" role="listbox" aria-label=${texts.mention}>${users.map(
      (member, index) => html`<li role="option" id="suggestion-${index}" aria-selected=${index === at} key=${member}
        onMouseDown=${(/** @type {Event} */ event) => (event.preventDefault(), mention(member))}>
        <bdi>${nameOf(member)}</bdi> <bdi class="soft">@${member}</bdi></li>`,
    )}</ul>`}
    ${isTooLong && html`<p class="failure" role="alert">${texts.tooLong}</p>`}
    <textarea id="composer" ref=${field} rows="1" dir="auto" placeholder=${`${texts.write} ${name}`} aria-label=${`${texts.write} ${name}`}
      aria-controls=${users.length ? "suggestions" : undefined} aria-activedescendant=${users.length ? `suggestion-${at}` : undefined}
      value=${text} onInput=${onInput} onKeyDown=${onKeyDown} onClick=${suggest}></textarea>
    <button class="send" aria-label=${editing ? texts.save : texts.send} title=${editing ? texts.save : texts.send} disabled=${!canSend}>
      <${Icon} name="send" />
    </button>
  </form>`;
}
