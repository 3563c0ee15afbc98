import { html } from "./html.js";

// A link ends before white space, quotes, and characters that are invisible or reorder text.
const LINK = "https?://[^\\s<>\"'`\\p{C}]+";

/**
 * The text of a message with its links and mentions. Everything else stays text.
 * @param {string} body
 * @param {string[]} [mentions]
 */
export function richText(body, mentions = []) {
  const users = mentions.map((user) => user.replace(/[^\p{L}\p{N}]/gu, "\\$&")).sort((a, b) => b.length - a.length);
  const pattern = `(${LINK})${users.length ? `|(@(?:${users.join("|")})(?![\\p{L}\\p{N}]))` : ""}`;
  return body.split(new RegExp(pattern, "iu")).map((part) => {
    if (!part) return null;
    if (part[0] === "@" && mentions.includes(part.slice(1).toLocaleLowerCase())) return html`<mark>${part}</mark>`;
    return /^https?:/i.test(part) ? link(part) : part;
  });
}

/** @param {string} text */
function link(text) {
  const [shown] = /^.*?(?=[.,:;!?)\]}]*$)/s.exec(text) ?? [text];
  const closed = shown.includes("(") && text[shown.length] === ")" ? shown + ")" : shown;
  const url = URL.canParse(closed) ? new URL(closed) : null;
  if (!url?.hostname || url.username || url.password) return text; // "https://bank.example@evil.example" is no link
  return html`<a href=${url.href} target="_blank" rel="noopener noreferrer">${closed}</a>${text.slice(closed.length)}`;
}
