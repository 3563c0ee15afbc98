// One message, with its reactions and its buttons.
import { Component } from "preact";
import { signal } from "@preact/signals";
import { attempt } from "./chat.js";
import { compose } from "./composer.js";
import { ask } from "./dialogs.js";
import { html, Icon, IconButton } from "./html.js";
import { Avatar, nameOf, youOr } from "./people.js";
import { richText } from "./rich_text.js";
import { lineOf } from "./rooms.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

const EMOJI = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👀"];
/** A text with more characters or lines is shown in part until it is asked for. */
const LONG = 3000;
const LONG_LINES = 30;

/** The message that has the pointer or the focus: its buttons are shown. */
export const active = signal("");
/** The message whose emoji are offered. */
const reacting = signal("");

/** @param {ChatMessage} message */
export const idOf = ({ key, author, seq }) => (key ? `${author} ${key}` : `${seq}`);

/**
 * @typedef {object} Props
 * @property {ChatMessage} message
 * @property {Room} room
 * @property {boolean} isFirst whether it begins a group of messages of its author
 * @property {boolean} inGroup whether the room may have more than two members
 * @property {boolean} mayDelete
 * @property {string} progress how far an own message has come, "" for others
 * @property {number} readers
 * @property {ChatMessage | undefined} original the message that it replies to, if that is loaded
 * @property {(seq: number) => void} onJump
 */

/** @extends {Component<Props, {isWhole: boolean}>} */
export class Message extends Component {
  state = { isWhole: false };

  /** @param {any} next @param {{isWhole: boolean}} state */
  shouldComponentUpdate(next, state) {
    const now = /** @type {any} */ (this.props);
    return state !== this.state || Object.keys(next).some((name) => now[name] !== next[name]);
  }

  render() {
    const { message, room, isFirst, inGroup, progress, readers } = this.props;
    const { author, at, state, deleted, mentions = [], reply_to } = message;
    const isMine = author === user.value;
    const isNamed = isFirst && inGroup && !isMine;
    const classes = ["message", isMine ? "mine" : "", isFirst ? "first" : "", mentions.includes(user.value ?? "") ? "mentioned" : "", state];
    return html`<li class=${classes.join(" ")} data-id=${idOf(message)} data-seq=${message.seq} tabindex="-1">
      ${inGroup && !isMine && html`<span class="side">${isFirst && html`<${Avatar} id=${author} name=${nameOf(author)} />`}</span>`}
      <div class="bubble">
        <span class=${isNamed ? "author" : "sr"} title=${author}><bdi>${youOr(author)}</bdi></span>
        ${reply_to !== undefined && this.quote(reply_to)}
        ${deleted ? html`<div class="body soft">${texts.deleted}</div>` : this.body()}
        <div class="meta">
          ${message.edited_at && !deleted && texts.edited}
          ${at && html`<time datetime=${at}>${texts.time(at)}</time>`}
          ${progress && html`<${Progress} progress=${progress} readers=${inGroup ? readers : 0} />`}
        </div>
        ${message.reactions && html`<div class="reactions">${Object.entries(message.reactions).map(([emoji, { count, users }]) => {
          const on = users.includes(user.value ?? "");
          return html`<button type="button" key=${emoji} aria-pressed=${on} title=${users.map(nameOf).join(", ")}
            onClick=${() => attempt(room.react(message, emoji, !on))}><bdi>${emoji}</bdi> ${count}</button>`;
        })}</div>`}
        ${state === "failed" && html`<div class="failure">
          ${texts.failed} ${texts.error(message.error ?? {})}
          <button type="button" onClick=${message.retry}>${texts.retry}</button>
          <button type="button" onClick=${message.discard}>${texts.discard}</button>
        </div>`}
      </div>
      ${state === "sent" && !deleted && html`<${Buttons} ...${this.props} isMine=${isMine} />`}
    </li>`;
  }

  body() {
    const { body = "", data, mentions } = this.props.message;
    const start = body.split("\n", LONG_LINES).join("\n").slice(0, LONG).replace(/[\ud800-\udbff]$/, "");
    const isCut = start.length < body.length && !this.state.isWhole;
    return html`<div class="body" dir="auto">${richText(isCut ? start : body, mentions)}${isCut && "…"}</div>
      ${data && html`<pre class="data">${JSON.stringify(data, null, 1)}</pre>`}
      ${isCut && html`<button type="button" class="link" onClick=${() => this.setState({ isWhole: true })}>${texts.showAll}</button>`}`;
  }

  /** @param {number} seq */
  quote(seq) {
    const { original, onJump } = this.props;
    return html`<button type="button" class="quote" title=${texts.original} onClick=${() => onJump(seq)}>
      ${original && html`<bdi class="author">${youOr(original.author)}</bdi>`}
      <bdi class="line">${original ? lineOf(original).slice(0, 200) : texts.notLoaded}</bdi>
    </button>`;
  }
}

/** @param {{progress: string, readers: number}} props */
function Progress({ progress, readers }) {
  const text = readers && progress !== "read" ? texts.readBy(readers) : texts[/** @type {"sent"} */ (progress)];
  const icon = readers || progress === "delivered" ? "read" : progress;
  return html`<span class=${`progress ${progress}`} title=${text}><${Icon} name=${icon} /><span class="sr">${text}</span></span>`;
}

/** @param {HTMLElement | null} group */
const focusFirst = (group) => /** @type {HTMLElement} */ (group?.firstElementChild)?.focus();

/** An emoji was taken, or Escape pressed. @param {Event} event */
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
  const remove = async () => (await ask(texts.deleteQuestion, texts.delete)) && attempt(room.delete(message));
  return html`<div class="buttons" role="group" aria-label=${texts.actionsOf}>
    <${IconButton} icon="react" label=${texts.react} onClick=${() => (reacting.value = id)} />
    <${IconButton} icon="reply" label=${texts.reply} onClick=${() => compose({ replyTo: message })} />
    ${isMine && html`<${IconButton} icon="edit" label=${texts.edit} onClick=${() => compose({ editing: message })} />`}
    ${(isMine || mayDelete) && html`<${IconButton} icon="remove" label=${texts.delete} onClick=${remove} />`}
  </div>`;
}
