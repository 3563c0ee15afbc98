// One message, with its reactions and its buttons.
import { Component } from "preact";
import { signal } from "@preact/signals";
import { attempt } from "./chat.js";
import { compose } from "./composer.js";
import { ask } from "./dialogs.js";
import { html, Icon, IconButton } from "./html.js";
import { Avatar, nameOf, shortNameOf } from "./people.js";
import { richText } from "./rich_text.js";
import { lineOf } from "./rooms.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

/** @typedef {import("./chat.js").Message} MessageData */

const EMOJI = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀"];
/** A longer text is shown in part until it is asked for. */
const LONG = 3000;
const LONG_LINES = 30;

/** The message that has the pointer or the focus: its buttons are shown. */
export const active = signal("");
/** The message whose emoji are offered. */
const reacting = signal("");

/** @param {MessageData} message */
export const idOf = (message) => (message.key ? `${message.author} ${message.key}` : `${message.seq}`);

/**
 * @typedef {object} Props
 * @property {MessageData} message
 * @property {import("./chat.js").Room} room
 * @property {boolean} isFirst whether it begins a group of messages of its author
 * @property {boolean} isGroup whether the room may have more than two members
 * @property {boolean} mayDelete whether the user may delete messages of others
 * @property {string} progress how far an own message has come, "" for others
 * @property {number} readers
 * @property {MessageData | null | undefined} original the message that it replies to; null: not loaded
 * @property {(seq: number) => void} onJump
 */

/** @extends {Component<Props, {isOpen: boolean}>} */
export class Message extends Component {
  state = { isOpen: false };

  /** @param {Props} next @param {{isOpen: boolean}} state */
  shouldComponentUpdate(next, state) {
    const now = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (this.props));
    return state !== this.state || Object.entries(next).some(([name, value]) => now[name] !== value);
  }

  render() {
    const { message, room, isFirst, isGroup, progress, readers } = this.props;
    const { author, at, state, deleted, edited_at, mentions = [] } = message;
    const isMine = author === user.value;
    const name = nameOf(author);
    const classes = ["message", isMine && "mine", isFirst && "first", mentions.includes(user.value ?? "") && "mentioned", state];
    return html`<li class=${classes.filter(Boolean).join(" ")} data-id=${idOf(message)} data-seq=${message.seq} tabindex="-1">
      ${isGroup && !isMine && html`<span class="side">${isFirst && html`<${Avatar} id=${author} name=${name} />`}</span>`}
      <div class="bubble">
        <span class=${isFirst && isGroup && !isMine ? "author" : "sr"} title=${author}><bdi>${isMine ? texts.you : name}</bdi></span>
        ${message.reply_to !== undefined && this.quote(message.reply_to)}
        ${deleted ? html`<div class="body soft">${texts.deleted}</div>` : this.body()}
        <div class="meta">
          ${edited_at && !deleted && html`<span>${texts.edited}</span>`}
          ${at && html`<time datetime=${at}>${texts.time(at)}</time>`}
          <${Progress} progress=${progress} readers=${isGroup ? readers : 0} />
        </div>
        ${message.reactions && html`<div class="reactions">${Object.entries(message.reactions).map(([emoji, { count, users }]) => {
          const on = users.includes(user.value ?? "");
          return html`<button type="button" key=${emoji} aria-pressed=${on} title=${users.map(nameOf).join(", ")}
            onClick=${() => attempt(room.react(message, emoji, !on))}><bdi>${emoji}</bdi> ${count}</button>`;
        })}</div>`}
        ${state === "failed" && html`<div class="failure" role="alert">
          ${texts.failed} ${texts.error(message.error ?? {})}
          <button type="button" onClick=${() => message.retry?.()}>${texts.retry}</button>
          <button type="button" onClick=${() => message.discard?.()}>${texts.discard}</button>
        </div>`}
      </div>
      ${state === "sent" && !deleted && html`<${Buttons} ...${this.props} isMine=${isMine} />`}
    </li>`;
  }

  body() {
    const { body = "", data, mentions } = this.props.message;
    const isLong = body.length > LONG || body.split("\n", LONG_LINES + 1).length > LONG_LINES;
    const isCut = isLong && !this.state.isOpen;
    const text = isCut ? body.split("\n", LONG_LINES).join("\n").slice(0, LONG) : body;
    return html`<div class="body" dir="auto">${richText(text, mentions)}${isCut && "…"}</div>
      ${data && html`<pre class="data">${JSON.stringify(data, null, 1)}</pre>`}
      ${isCut && html`<button type="button" class="link" onClick=${() => this.setState({ isOpen: true })}>${texts.showAll}</button>`}`;
  }

  /** @param {number} seq */
  quote(seq) {
    const { original, onJump } = this.props;
    return html`<button type="button" class="quote" title=${texts.original} onClick=${() => onJump(seq)}>
      ${original && html`<bdi class="author">${original.author === user.value ? texts.you : nameOf(original.author)}</bdi>`}
      <bdi class="line">${original ? lineOf(original).slice(0, 200) : texts.notLoaded}</bdi>
    </button>`;
  }
}

/** @param {{progress: string, readers: number}} props */
function Progress({ progress, readers }) {
  if (!progress || progress === "failed") return null;
  const text = readers && progress !== "read" ? texts.readBy(readers) : texts[/** @type {"sent"} */ (progress)];
  const icon = progress === "sending" ? "clock" : progress === "sent" && !readers ? "check" : "checks";
  return html`<span class="progress ${progress}" title=${text}><${Icon} name=${icon} /><span class="sr">${text}</span></span>`;
}

const focusFirst = (/** @type {HTMLElement | null} */ group) => /** @type {HTMLElement} */ (group?.firstElementChild)?.focus();

/** @param {Event} event */
function leaveEmoji(event) {
  if (event instanceof KeyboardEvent && event.key !== "Escape") return;
  event.stopPropagation();
  reacting.value = "";
  /** @type {HTMLElement} */ (event.currentTarget).closest("li")?.focus();
}

/** @param {Props & {isMine: boolean}} props */
function Buttons({ message, room, isMine, mayDelete }) {
  const id = idOf(message);
  if (active.value !== id) return null;
  if (reacting.value === id)
    return html`<div class="buttons" key="emoji" role="group" aria-label=${texts.react} ref=${focusFirst} onKeyDown=${leaveEmoji} onClick=${leaveEmoji}>
      ${EMOJI.map((emoji) => html`<button type="button" class="plain" aria-label=${texts.reactWith(emoji)}
        onClick=${() => attempt(room.react(message, emoji, true))}>${emoji}</button>`)}
    </div>`;
  return html`<div class="buttons" role="group" aria-label=${texts.actionsOf}>
    <${IconButton} icon="smile" label=${texts.react} onClick=${() => (reacting.value = id)} />
    <${IconButton} icon="reply" label=${texts.reply} onClick=${() => compose({ replyTo: message })} />
    ${isMine && html`<${IconButton} icon="edit" label=${texts.edit} onClick=${() => compose({ editing: message })} />`}
    ${(isMine || mayDelete) && html`<${IconButton} icon="remove" label=${texts.delete} onClick=${async () => {
      if (await ask(texts.deleteQuestion, texts.delete)) attempt(room.delete(message));
    }} />`}
  </div>`;
}

/** An entry that is no message. @param {{message: MessageData}} props */
export const Line = ({ message }) => html`<li class="line" data-id=${idOf(message)} data-seq=${message.seq}>
  <bdi>${texts.entry(message, shortNameOf(message.author), shortNameOf(message.user ?? ""))}</bdi>
</li>`;
