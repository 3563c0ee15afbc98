// Who is signed in. The access token is in memory alone; the refresh token is a cookie that no script can read.
import { signal } from "@preact/signals";
import { SignedOut } from "chatcore-client";
import { kept, keep } from "./storage.js";
import { texts } from "./texts.js";

/** The address of the chat: the page's own folder, whatever stands before it. */
export const base = new URL(".", location.href.split("#")[0]).href;

/** The signed-in user; "" without one, undefined until the session is known. @type {Signal<string | undefined>} */
export const user = signal(undefined);
/** Why the user has to sign in again. */
export const notice = signal("");

/** @type {{token: string, until: number} | undefined} */
let access;

/** @param {string} method @param {string} path @param {object} [body] */
async function request(method, path, body) {
  const response = await fetch(new URL(`api/v1/${path}`, base), {
    method,
    headers: /** @type {HeadersInit} */ (
      body ? { "Content-Type": "application/json" } : { Authorization: `Bearer ${access?.token}` }
    ),
    body: body && JSON.stringify(body),
  }).catch(() => undefined);
  const answer = await response?.json().catch(() => ({}));
  if (!response?.ok) throw { code: "unavailable", ...answer };
  return answer;
}

/** @param {{access_token: string, expires_in: number, user: string}} answer */
function enter(answer) {
  access = { token: answer.access_token, until: Date.now() + answer.expires_in * 900 };
  keep("user", answer.user);
  notice.value = "";
  user.value = answer.user;
}

/** @param {string} name @param {string} password */
export async function signIn(name, password) {
  enter(await request("POST", "sessions", { user: name, password, cookie: true }));
}

/** @param {string} name @param {string} password @param {string} shown the name that others see, or "" */
export async function signUp(name, password, shown) {
  await request("POST", "accounts", { user: name, password, ...(shown && { name: shown }) });
  await signIn(name, password);
}

/** Goes on with the session of this browser. Where none was kept, nothing is asked. */
export async function resume() {
  const last = kept("user");
  if (!last) user.value = "";
  else await token().catch((error) => (error instanceof SignedOut ? end("") : (user.value = last)));
}

export async function signOut() {
  await token();
  await request("DELETE", "sessions/current");
  end("");
}

/** @param {string} why */
export function end(why) {
  access = undefined;
  keep("user", "");
  notice.value = why;
  user.value = "";
}

/** Returns an access token, by the cookie where it needs a new one. @param {string} [refused] a token that was not taken */
export async function token(refused) {
  if (access && access.token !== refused && Date.now() < access.until) return access.token;
  const before = user.value;
  const answer = await request("POST", "sessions/refresh", {}).catch((error) => {
    throw ["unauthenticated", "invalid", "forbidden"].includes(error.code) ? new SignedOut(texts.signedOut) : error;
  });
  if (before && before !== answer.user) location.reload(); // another tab has signed another user in
  enter(answer);
  return /** @type {string} */ (answer.access_token);
}
