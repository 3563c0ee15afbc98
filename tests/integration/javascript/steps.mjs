// The steps of the server's page as a reader sees them: the page is loaded from its address and its scripts run.
import { JSDOM } from "jsdom";

const { window } = await JSDOM.fromURL(process.argv[2], { runScripts: "dangerously" });
const steps = [...window.document.querySelectorAll("pre code")].map((code) => code.textContent);
const links = [...window.document.querySelectorAll("a")].map(({ href }) => href);
console.log(JSON.stringify({ steps, links }));
