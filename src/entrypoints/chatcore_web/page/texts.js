// Every text that the page shows. A translation replaces this file.

const LANGUAGE = "en";
const plural = new Intl.PluralRules(LANGUAGE);
const list = new Intl.ListFormat(LANGUAGE);
/** @param {Intl.DateTimeFormatOptions} options */
const dates = (options) => new Intl.DateTimeFormat(navigator.language, options);
const clock = dates({ hour: "numeric", minute: "2-digit" });
const weekday = dates({ weekday: "short" });
const shortDay = dates({ day: "numeric", month: "short" });
const longDay = dates({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
const days = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });

/** @param {number} count @param {string} one @param {string} other */
const counted = (count, one, other) => `${count} ${plural.select(count) === "one" ? one : other}`;

/** Days from today to that of `date`. @param {Date} date */
const daysFromToday = (date) => Math.round((new Date(date).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 864e5);

const time = (/** @type {string} */ at) => clock.format(new Date(at));
const day = (/** @type {string} */ at) => {
  const date = new Date(at);
  const distance = daysFromToday(date);
  return distance > -2 ? days.format(distance, "day") : longDay.format(date);
};

/** @type {Record<string, string>} */
const errors = {
  conflict: "Meanwhile this was changed. Look again.",
  forbidden: "You may not do that.",
  internal: "The server has a problem. Try again.",
  invalid: "The server does not accept that.",
  not_found: "That does not exist, or you may not see it.",
  rate_limited: "Too many attempts. Wait a moment.",
  too_large: "This message is too long.",
  unauthenticated: "Sign in again.",
  unavailable: "The server can't be reached. Try again.",
};

export const texts = {
  // signing in
  signIn: "Sign in",
  signUp: "Create account",
  signOut: "Sign out",
  signInFirst: "No account yet?",
  signUpFirst: "Have an account?",
  user: "User name",
  password: "Password",
  passwordHint: "At least 8 characters",
  shownName: "Your name",
  optional: "optional",
  wrongPassword: "The user name or the password is wrong.",
  nameTaken: "This user name is taken.",
  nameRefused: "This can't be a user name: take letters, digits, dots or dashes, at most 32.",
  passwordRefused: "A password has 8 to 1,024 characters.",
  signUpClosed: "New accounts can't be made on this server.",
  signedOut: "You have been signed out.",
  ended: (/** @type {string | undefined} */ code) =>
    code === "protocol" ? "The server ended the connection. Reload the page." : "You have been signed out.",

  // connection
  connecting: "Connecting…",
  offline: "Offline. What you write is sent once the connection is back.",
  loading: "Loading…",

  // list of rooms
  rooms: "Conversations",
  search: "Find people and rooms",
  people: "People",
  publicRooms: "Public rooms",
  nothingFound: "Nothing found.",
  noRooms: "No conversations yet",
  noRoomsHint: "Find someone by name above, or start a group.",
  newRoom: "New group or room",
  browse: "Browse public rooms",
  invitations: "Invitations",
  unread: (/** @type {number} */ count) => counted(count, "unread message", "unread messages"),
  muted: "muted",
  you: "You",
  yourself: "Notes to yourself",
  draft: "Draft:",
  account: "Account and help",
  pickRoom: "Choose a conversation",
  pickRoomHint: "Or find a person by name: Ctrl+K",

  // conversation
  back: "Back to the list",
  details: "Details",
  messages: "Messages",
  members: (/** @type {number | undefined} */ count = 0) => counted(count, "member", "members"),
  beginning: (/** @type {string} */ name) => `This is the beginning of your conversation with ${name}.`,
  beginningRoom: "This is the beginning of the room.",
  newMessages: "New",
  jumpToUnread: (/** @type {number} */ count) => `${counted(count, "unread message", "unread messages")}: go to the first`,
  jumpToNewest: "Go to the newest message",
  presence: { online: "online", away: "away", offline: "offline" },
  lastSeen: (/** @type {string} */ at) =>
    `last seen ${daysFromToday(new Date(at)) === 0 ? time(at) : day(at).toLocaleLowerCase()}`,
  typing: (/** @type {string[]} */ names) => `${list.format(names)} ${names.length === 1 ? "is" : "are"} typing…`,
  typingShort: "typing…",
  deleted: "Message deleted",
  edited: "edited",
  sending: "sending",
  sent: "sent",
  delivered: "delivered",
  read: "read",
  readBy: (/** @type {number} */ count) => `read by ${count}`,
  failed: "Not sent.",
  retry: "Try again",
  discard: "Discard",
  showAll: "Show all",
  actionsOf: "What to do with this message",
  react: "React",
  reactWith: (/** @type {string} */ emoji) => `React with ${emoji}`,
  reply: "Reply",
  edit: "Edit",
  delete: "Delete",
  deleteQuestion: "Delete this message for everyone?",
  original: "Go to the original message",
  notLoaded: "an earlier message",
  joinFirst: "Join this public room to read and write.",
  join: "Join",
  invited: "You are invited to this room.",
  accept: "Accept",
  decline: "Decline",
  gone: "This room does not exist, or you are not a member of it.",

  // composer
  write: "Message",
  send: "Send",
  replyingTo: (/** @type {string} */ name) => `Reply to ${name}`,
  editing: "Edit message",
  cancel: "Cancel",
  tooLong: "This message is too long: at most 16,384 bytes.",
  mention: "Mention",

  // dialogs
  close: "Close",
  create: "Create",
  save: "Save",
  kind: { private: "Private", group: "Group", public: "Public room" },
  kindHint: { group: "Only people you add or invite.", public: "Everyone can find it and join." },
  title: "Title",
  addPeople: "Add people",
  findPerson: "Find a person by name",
  invite: "Invite",
  remove: "Remove",
  more: "More",
  role: "Role",
  roles: { owner: "owner", admin: "admin", member: "member" },
  states: { invited: "invited", banned: "banned", member: "" },
  actions: {
    owner: "Make owner",
    admin: "Make admin",
    member: "Make member",
    "room.remove": "Remove",
    "room.ban": "Ban",
    "room.unban": "End ban",
  },
  leave: "Leave room",
  leaveQuestion: "Leave this room? You won't get its messages any more.",
  mute: "Mute",
  block: "Block",
  unblock: "Unblock",
  blockQuestion: (/** @type {string} */ name) => `Block ${name}? ${name} can't write to you then.`,
  blocked: "Blocked people",
  noPublicRooms: "There are no public rooms yet.",
  keys: "Keys",
  keyList: [
    ["Ctrl+K", "find a conversation or a person"],
    ["Enter", "send; Shift+Enter begins a new line"],
    ["↑", "in an empty field: edit your last message"],
    ["↑ ↓", "in the list of messages: go from message to message"],
    ["Esc", "cancel, close, back to the text field"],
  ],
  documents: "For developers: the contract",

  // entries that are no messages; names are isolated already
  entry: (/** @type {Said} */ { kind, emoji, on, title, opens, reason }, /** @type {string} */ author, /** @type {string} */ user) => {
    /** @type {Record<string, string>} */
    const lines = {
      opened: `${author} created ${opens?.title ? `“${opens.title}”` : "the room"}`,
      joined: `${user} joined`,
      left: `${user} left`,
      invited: `${author} invited ${user}`,
      removed: `${author} removed ${user}`,
      banned: `${author} banned ${user}`,
      unbanned: `${author} ended the ban of ${user}`,
      role: `${author} changed the role of ${user}`,
      updated: `${author} renamed the room to “${title}”`,
      edited: `${author} edited a message`,
      deleted: `${author} deleted a message`,
      reacted: on ? `${author} reacted with ${emoji}` : `${author} took back ${emoji}`,
    };
    return (lines[kind] ?? "") + (reason ? `: ${reason}` : "");
  },
  announced: (/** @type {string} */ author, /** @type {string} */ body, room = "") =>
    `${author}${room && ` in ${room}`}: ${body}`,

  error: (/** @type {Refusal} */ { code = "", retry_after_ms = 0 }) =>
    (errors[code] ?? errors.internal) + (retry_after_ms > 2000 ? ` (${Math.ceil(retry_after_ms / 1000)} s)` : ""),
  time,
  day,
  /** When a room was last written to. */
  recently: (/** @type {string} */ at) => {
    const date = new Date(at);
    const distance = daysFromToday(date);
    return distance === 0 ? time(at) : distance > -7 ? weekday.format(date) : shortDay.format(date);
  },
};
