import htm from "htm";
import { h } from "preact";

/** Makes virtual nodes from a template. Values are always text: no value is ever read as HTML. */
export const html = htm.bind(h);

/** Paths on a grid of 24. */
const ICONS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  sent: "M5 13l4 4L19 7",
  read: "M2 13l4 4L15 7M11 16l1 1L22 7",
  sending: "M12 7v5l3 2M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  more: "M4.5 12h1M11.5 12h1M18.5 12h1",
  mute: "M6 9a6 6 0 0 1 12 0c0 5 2 7 2 7H8M3 3l18 18M10 20h4",
  remove: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  reply: "M9 6l-6 6 6 6M3 12h10a7 7 0 0 1 7 7",
  send: "M4 4l17 8-17 8 3-8zM7 12h6",
  react: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 14s1.5 2 4 2 4-2 4-2M9 9.5h.01M15 9.5h.01",
};

/** @param {{name: keyof typeof ICONS}} props */
export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${ICONS[name]} /></svg>`;

/** A button that shows an icon only. @param {{icon: string, label: string}} props and attributes */
export const IconButton = ({ icon, label, ...attributes }) =>
  html`<button type="button" class="plain" aria-label=${label} title=${label} ...${attributes}><${Icon} name=${icon} /></button>`;

/** Takes the text of a field. @param {(text: string) => void} take */
export const typed = (take) => (/** @type {FieldEvent} */ { currentTarget }) => take(currentTarget.value);

/** Whether the page has a mouse: on touch screens Enter begins a line, and no field takes the focus by itself. */
export const hasMouse = () => matchMedia("(pointer: fine)").matches;
