// The messages of a room, in a scroller. At most MAX of them are in the document, without a gap: scrolling to an end adds
// messages there and takes them away at the other end, so that a screen reader can read on.
import { Component, createRef } from "preact";
import { announce, attempt, isGroup, value } from "./chat.js";
import { focusComposer } from "./composer.js";
import { html, Icon } from "./html.js";
import { active, idOf, Message } from "./message.js";
import { inlineName } from "./people.js";
import { lineOf } from "./rooms.js";
import { user } from "./session.js";
import { texts } from "./texts.js";

const MAX = 300;
const STEP = 50;
/** Pixels from an end at which more is shown. */
const NEAR = 800;
const AT_END = 40;
const GROUP_MS = 5 * 60_000;

/**
 * @typedef {object} Props
 * @property {Room} room
 * @property {RoomInfo | null} info
 * @property {string} name
 */
/**
 * @typedef {object} State
 * @property {number} first seq of the first message in the document; 0: the last STEP messages
 * @property {number} last seq of the last one; Infinity: all there are
 * @property {boolean} isAtEnd
 */
/** @typedef {{element: Element, top: number} | null} Anchor */

/** @extends {Component<Props, State>} */
export class Log extends Component {
  /** @type {State} */
  state = { first: 0, last: Infinity, isAtEnd: true };
  scroller = /** @type {import("preact").RefObject<HTMLDivElement>} */ (createRef());
  /** Where "New" stands: the seq after the read marker when the room was opened. */
  unreadFrom = 0;
  /** The unread messages at that time. */
  unread = 0;
  /** The message that keeps its place while others come, go and change their height. @type {Anchor} */
  anchor = null;
  isPlaced = false;
  isLoading = false;
  /** What is scrolled to once it is in the document. */
  goal = 0;
  newest = 0;
  /** @type {readonly ChatMessage[]} */
  messages = [];

  resizes = new ResizeObserver(() => this.keepPlace());

  componentDidMount() {
    const { current } = this.scroller;
    document.addEventListener("visibilitychange", this.look);
    addEventListener("focus", this.look);
    if (current?.firstElementChild) this.resizes.observe(current.firstElementChild);
    this.componentDidUpdate();
  }

  componentWillUnmount() {
    document.removeEventListener("visibilitychange", this.look);
    removeEventListener("focus", this.look);
    this.resizes.disconnect();
  }

  /** The messages in the document. */
  window() {
    const { first, last } = this.state;
    const { messages } = this;
    let end = messages.length;
    while (last < Infinity && end > 0 && !((messages[end - 1].seq ?? Infinity) <= last)) end--;
    let begin = first ? messages.findIndex(({ seq }) => seq === undefined || seq >= first) : end - STEP;
    if (begin < 0) begin = 0;
    return { begin: Math.max(begin, end - MAX), end };
  }

  getSnapshotBeforeUpdate() {
    this.findAnchor();
    return null;
  }

  /** Remembers the place of the first message in view. At the end nothing is held: the scroller stays there by itself. */
  findAnchor() {
    const { current } = this.scroller;
    this.anchor = null;
    if (!current || this.state.isAtEnd) return;
    const { top } = current.getBoundingClientRect();
    for (const element of current.querySelectorAll("li[data-id]")) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top) return void (this.anchor = { element, top: box.top });
    }
  }

  keepPlace() {
    const { anchor } = this;
    if (!anchor?.element.isConnected || !this.scroller.current) return;
    const moved = anchor.element.getBoundingClientRect().top - anchor.top;
    if (Math.abs(moved) >= 1) this.scroller.current.scrollTop += moved;
  }

  componentDidUpdate() {
    if (!this.scroller.current) return;
    this.keepPlace();
    this.announceNew();
    if (!this.isPlaced && this.messages.length) this.place();
    if (this.goal) this.reach(this.goal);
    this.look();
  }

  /** Shows the first unread message when the room is opened. */
  place() {
    this.isPlaced = true;
    const { messages, unreadFrom } = this;
    if (!unreadFrom || (messages[0].seq ?? 1) > unreadFrom) return;
    const first = messages.find(({ seq = 0, kind, author }) => seq >= unreadFrom && kind === "message" && author !== user.value);
    if (first?.seq) this.goTo(first.seq);
  }

  announceNew() {
    const { messages, newest } = this;
    const last = messages.findLast(({ seq }) => seq !== undefined)?.seq ?? 0;
    if (last <= newest) return;
    this.newest = last;
    if (!newest) return;
    const added = messages.filter(({ seq = 0, author }) => seq > newest && author !== user.value);
    for (const message of added)
      announce(message.kind === "message" ? texts.announced(inlineName(message.author), lineOf(message).slice(0, 300)) : lineOf(message));
    if (added.length && !this.unreadFrom && !isSeen()) this.setState({}, () => (this.unreadFrom = added[0].seq ?? 0));
  }

  /** @param {number} seq */
  reach(seq) {
    const element = /** @type {HTMLElement | null} */ (this.scroller.current?.querySelector(`[data-seq="${seq}"]`));
    if (!element) return;
    this.goal = 0;
    const isUnread = seq >= this.unreadFrom && element.previousElementSibling?.classList.contains("new");
    (isUnread ? element.previousElementSibling : element)?.scrollIntoView({ block: isUnread ? "start" : "center" });
    this.findAnchor();
    if (isUnread) return;
    element.focus({ preventScroll: true });
    element.classList.add("found");
  }

  /** Shows a message, loading what is between. @param {number} seq */
  goTo = async (seq) => {
    if (!this.messages.length || (this.messages[0].seq ?? 1) > seq) await attempt(this.props.room.more({ until: seq }));
    const { messages } = this;
    const index = messages.findIndex((message) => (message.seq ?? Infinity) >= seq);
    if (index < 0) return;
    const begin = Math.max(0, index - STEP);
    const last = messages.length - begin > MAX ? (messages[begin + MAX - 1].seq ?? Infinity) : Infinity;
    this.goal = messages[index].seq ?? 0;
    this.setState({ first: messages[begin].seq ?? 0, last, isAtEnd: false });
  };

  goToEnd = () => {
    this.unreadFrom = 0;
    this.setState({ first: 0, last: Infinity, isAtEnd: true }, () => this.scroller.current && (this.scroller.current.scrollTop = 0));
  };

  /** Looks where the scroller stands: shows more near its ends, and marks as read what is seen. */
  look = () => {
    const { current } = this.scroller;
    if (!current) return;
    const below = Math.max(0, -current.scrollTop); // the scroller grows upwards: 0 is the end
    const above = current.scrollHeight - current.clientHeight - below;
    const { begin, end } = this.window();
    const { messages } = this;
    const isAtEnd = below < AT_END && end === messages.length;
    if (isAtEnd !== this.state.isAtEnd) this.setState({ isAtEnd });
    if (above < NEAR) this.showOlder(begin, end);
    else if (below < NEAR && end < messages.length) this.showNewer(begin, end);
    else if (isAtEnd && end - begin > MAX - STEP) this.setState({ first: messages[end - MAX / 2].seq ?? 0 });
    if (isSeen()) this.markRead(current);
  };

  onScroll = () => {
    this.look();
    this.findAnchor();
  };

  /** @param {number} begin @param {number} end */
  async showOlder(begin, end) {
    const { messages } = this;
    if (begin > 0) {
      const first = Math.max(0, begin - STEP);
      this.setState({ first: messages[first].seq ?? 0, ...(end - first > MAX && { last: messages[first + MAX - 1].seq ?? Infinity }) });
    } else if (this.hasOlder() && !this.isLoading) {
      this.isLoading = true;
      this.forceUpdate();
      await this.props.room.more(STEP).catch(() => {});
      this.isLoading = false;
      if (this.messages !== messages) this.setState({ first: this.messages[0]?.seq ?? 0 });
      else this.forceUpdate();
    }
  }

  /** @param {number} begin @param {number} end */
  showNewer(begin, end) {
    const { messages } = this;
    const next = Math.min(messages.length, end + STEP);
    const first = messages[Math.max(begin, next - MAX)].seq ?? 0;
    this.setState({ first, last: next === messages.length ? Infinity : (messages[next - 1].seq ?? Infinity) });
  }

  /** Every log begins with seq 1, which is shown. */
  hasOlder() {
    const { info } = this.props;
    return !!info && (this.messages[0]?.seq ?? info.head + 1) > 1;
  }

  /** @param {HTMLElement} scroller */
  markRead(scroller) {
    const { info, room } = this.props;
    if (!info?.me || !this.isPlaced || this.goal) return;
    const { bottom } = scroller.getBoundingClientRect();
    const items = /** @type {HTMLElement[]} */ ([...scroller.querySelectorAll("li[data-seq]")]);
    const seen = items.findLast((item) => {
      const box = item.getBoundingClientRect();
      return box.top + Math.min(box.height, 80) <= bottom + 1;
    });
    const seq = Number(seen?.dataset.seq);
    if (seq > (info.me.read ?? 0) && info.me.unread) room.mark(seq);
  }

  /** @param {Event} event */
  activate = ({ type, target }) => {
    if (type === "pointerover" && this.scroller.current?.querySelector(".buttons :focus-visible")) return;
    const item = /** @type {HTMLElement} */ (target).closest("li");
    if (item?.dataset.id) active.value = item.dataset.id;
  };

  /** Arrow keys go from message to message. @param {KeyboardEvent} event */
  onKeyDown = (event) => {
    const { current } = this.scroller;
    const items = /** @type {HTMLElement[]} */ ([...(current?.querySelectorAll("li.message") ?? [])]);
    const at = items.indexOf(/** @type {HTMLElement} */ (/** @type {HTMLElement} */ (event.target).closest("li.message")));
    const next = { ArrowUp: at < 0 ? items.length - 1 : at - 1, ArrowDown: at + 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape" || (next === items.length && at >= 0)) focusComposer();
    else if (next === undefined || next < 0) return;
    else items[next]?.focus();
    event.preventDefault();
  };

  render() {
    const { room, info, name } = this.props;
    this.messages = value(room.messages);
    if (!this.unreadFrom && !this.isPlaced && info?.me?.unread) {
      this.unreadFrom = (info.me.read ?? 0) + 1;
      this.unread = info.me.unread;
    }
    const { begin, end } = this.window();
    const { messages } = this;
    const unreadIsAbove = this.isPlaced && this.unreadFrom > 0 && (messages[0]?.seq ?? 0) > this.unreadFrom;
    const hasOlder = begin > 0 || this.hasOlder();
    return html`<div class="log">
      ${unreadIsAbove && html`<button type="button" class="jump top" onClick=${() => this.goTo(this.unreadFrom)}>${texts.jumpToUnread(this.unread)}</button>`}
      <div class="scroller" ref=${this.scroller} role="log" aria-live="off" aria-label=${texts.messages} tabindex="0" onScroll=${this.onScroll} onKeyDown=${this.onKeyDown}
        onPointerOver=${this.activate} onFocusIn=${this.activate} onClick=${this.activate}>
        <ol>
          ${hasOlder
            ? html`<li class="line">${this.isLoading && texts.loading}</li>`
            : (messages.length > 0 || !info) && html`<li class="line">${info && isGroup(info) ? texts.beginningRoom : texts.beginning(name)}</li>`}
          ${this.items(begin, end)}
        </ol>
      </div>
      ${!this.state.isAtEnd && html`<button type="button" class="jump bottom" aria-label=${texts.jumpToNewest} title=${texts.jumpToNewest} onClick=${this.goToEnd}>
        <${Icon} name="down" />${info?.me?.unread ? html`<span class="badge">${info.me.unread}</span>` : null}</button>`}
    </div>`;
  }

  /** @param {number} begin @param {number} end */
  items(begin, end) {
    const { room, info } = this.props;
    const { messages } = this;
    const others = Object.entries(info?.markers ?? {}).filter(([name]) => name !== user.value);
    const bySeq = new Map(messages.map((message) => [message.seq, message]));
    const inGroup = !!info && isGroup(info);
    const mayDelete = inGroup && info?.me?.role !== "member";
    const items = [];
    let hasNew = false;
    for (let index = begin; index < end; index++) {
      const message = messages[index];
      const { seq = Infinity, at, author, kind, state, reply_to } = message;
      const before = messages[index - 1];
      const isNewDay = at && (index === begin || texts.day(at) !== texts.day(before.at ?? at));
      if (isNewDay) items.push(html`<li class="day" key=${`day ${at.slice(0, 10)}`}><time datetime=${at.slice(0, 10)}>${texts.day(at)}</time></li>`);
      /** @type {boolean} */
      const isNew = !hasNew && this.unreadFrom > 0 && seq >= this.unreadFrom && seq < Infinity && author !== user.value;
      if (isNew) items.push(html`<li class="new" key="new">${texts.newMessages}</li>`);
      hasNew ||= isNew;
      if (kind !== "message") {
        items.push(html`<li class="line" key=${idOf(message)} data-id=${idOf(message)} data-seq=${seq}><bdi>${lineOf(message)}</bdi></li>`);
        continue;
      }
      const isMine = author === user.value;
      const readers = isMine ? others.filter(([, { read }]) => read >= seq).length : 0;
      const delivered = others.filter(([, marker]) => marker.delivered >= seq).length;
      const progress = !isMine || state !== "sent" ? (isMine ? state : "")
        : !others.length ? "sent" : readers === others.length ? "read" : delivered === others.length ? "delivered" : "sent";
      const isFirst = !before || isNew || !!isNewDay || before.kind !== "message" || before.author !== author
        || Date.parse(at ?? "") - Date.parse(before.at ?? "") > GROUP_MS;
      items.push(html`<${Message} key=${idOf(message)} message=${message} room=${room} isFirst=${isFirst} inGroup=${inGroup} mayDelete=${mayDelete}
        progress=${progress} readers=${readers} original=${reply_to === undefined ? undefined : bySeq.get(reply_to)} onJump=${this.goTo} />`);
    }
    return items;
  }
}

const isSeen = () => document.visibilityState === "visible" && document.hasFocus();
