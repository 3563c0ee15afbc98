// The open conversation stands in the address behind "#": back, forward, reload and links work, at any path.
import { signal } from "@preact/signals";

/** What is open. */
export const place = signal(parse());
let isListBehind = false;

/** @returns {Place | null} */
function parse() {
  const [, kind, id] = /^#(room|with)\/(.+)$/.exec(location.hash) ?? [];
  try {
    return kind ? /** @type {Place} */ ({ [kind]: decodeURIComponent(id) }) : null;
  } catch {
    return null; // a percent sign that encodes nothing
  }
}

addEventListener("hashchange", () => {
  const next = parse();
  isListBehind = !place.value && !!next;
  place.value = next;
});

/** @param {Place} place */
export const hrefOf = (place) =>
  "with" in place ? `#with/${encodeURIComponent(place.with)}` : `#room/${encodeURIComponent(place.room)}`;

/** @param {{room: string, peer?: string}} room */
export const hrefTo = ({ room, peer }) => hrefOf(peer === undefined ? { room } : { with: peer });

/** Shows the list of rooms: on a phone it is a view of its own. */
export function showList() {
  if (isListBehind) history.back();
  else location.hash = "";
}
