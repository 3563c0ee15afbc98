// Who is signed in. The access token is in memory alone; the refresh token is a cookie that no script can read.
import { signal } from "@preact/signals";
import { SignedOut } from "chatcore-client";
import { texts } from "./texts.js";

/** The address of the chat: the page's own folder, whatever stands before it. */
export const base = new URL(".", location.href.split("#")[0]).href;

const USER = `chatcore user ${base}`;

/**
 * The user, "" while nobody is signed in, or undefined until that is known.
 * @type {import("@preact/signals").Signal<string | undefined>}
 */
export const user = signal(undefined);
/** Why the user has to sign in again. */
export const notice = signal("");

/** @type {{token: string, until: number} | undefined} */
let access;

/** A request that was refused, or found no server. */
export class RequestError extends Error {
  /** @param {{code?: string, detail?: string, field?: string, retry_after_ms?: number}} answer */
  constructor({ code = "unavailable", detail = "", field, retry_after_ms }) {
    super(detail);
    this.code = code;
    this.field = field;
    this.retry_after_ms = retry_after_ms;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
async function request(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = body ? { "Content-Type": "application/json" } : { Authorization: `Bearer ${access?.token}` };
  const url = new URL(`api/v1/${path}`, base);
  const init = { method, headers, body: body && JSON.stringify(body), credentials: /** @type {const} */ ("same-origin") };
  const response = await fetch(url, init).catch(() => undefined);
  const answer = await response?.json().catch(() => ({}));
  if (!response?.ok) throw new RequestError(answer ?? {});
  return answer;
}

/** @param {{access_token: string, expires_in: number, user: string}} answer */
function enter(answer) {
  access = { token: answer.access_token, until: Date.now() + answer.expires_in * 900 };
  remember(answer.user);
  notice.value = "";
  user.value = answer.user;
}

/**
 * @param {string} name
 * @param {string} password
 */
export async function signIn(name, password) {
  enter(await request("POST", "sessions", { user: name, password, cookie: true }));
}

/**
 * @param {string} name
 * @param {string} password
 * @param {string} shown the name that others see, or ""
 */
export async function signUp(name, password, shown) {
  await request("POST", "accounts", { user: name, password, ...(shown && { name: shown }) });
  await signIn(name, password);
}

/** Goes on with the session of this browser, if there is one. */
export async function resume() {
  if (remembered() === null) user.value = "";
  else await token().catch((error) => (error instanceof SignedOut ? end("") : (user.value = remembered() || "")));
}

export async function signOut() {
  await token().then(() => request("DELETE", "sessions/current"));
  end("");
}

/** @param {string} why */
export function end(why) {
  access = undefined;
  remember(null);
  notice.value = why;
  user.value = "";
}

/**
 * Returns an access token, by the cookie where it needs a new one.
 * @param {string} [refused] a token that the server did not take
 * @returns {Promise<string>}
 */
export async function token(refused) {
  if (access && access.token !== refused && Date.now() < access.until) return access.token;
  const before = user.value;
  const answer = await request("POST", "sessions/refresh", {}).catch((error) => {
    throw ["unauthenticated", "invalid", "forbidden"].includes(error.code) ? new SignedOut(texts.signedOut) : error;
  });
  if (before && before !== answer.user) location.reload(); // another tab signed another user in
  enter(answer);
  return answer.access_token;
}

/** Whether this browser may have a session: without one, nothing is asked at the start. */
function remembered() {
  try {
    return localStorage.getItem(USER);
  } catch {
    return "";
  }
}

/** @param {string | null} name */
function remember(name) {
  try {
    if (name === null) localStorage.removeItem(USER);
    else localStorage.setItem(USER, name);
  } catch {
    // storage is switched off
  }
}
