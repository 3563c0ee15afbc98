// The conversation that is shown stands in the address behind "#": back, forward, reload and links work, at any path.
import { signal } from "@preact/signals";

/** @typedef {{room: string} | {with: string}} Place a room, or the private room with a user */

/** @type {import("@preact/signals").Signal<Place | null>} */
export const place = signal(parse());
let listIsBehind = false;

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
  listIsBehind = !place.value && !!next;
  place.value = next;
});

/** @param {Place} place */
export const hrefOf = (place) =>
  "with" in place ? `#with/${encodeURIComponent(place.with)}` : `#room/${encodeURIComponent(place.room)}`;

/** @param {{room: string, peer?: string}} room */
export const placeOf = (room) => (room.peer === undefined ? { room: room.room } : { with: room.peer });

/** @param {Place} place */
export function show(place) {
  location.hash = hrefOf(place);
}

/** Shows the list of rooms: on a phone it is a view of its own. */
export function showList() {
  if (listIsBehind) history.back();
  else location.hash = "";
}
