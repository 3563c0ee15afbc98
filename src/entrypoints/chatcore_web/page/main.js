import { signal } from "@preact/signals";
import htm from "htm";
import { h, render } from "preact";

const html = htm.bind(h);
const title = signal("chatcore is running");

render(
  html`<h1>${title}</h1><p><a href="start">First steps in a terminal</a> · <a href="docs">The contract</a></p>`,
  /** @type {HTMLElement} */ (document.getElementById("page")),
);
