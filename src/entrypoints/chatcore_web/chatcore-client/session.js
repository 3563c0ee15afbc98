import { SignedOut } from "./index.js";
import { base } from "./transport.js";

/** @param {import("./session.d.ts").SessionOptions} options */
export const session = ({ url, user, password, signUp, device }) => {
  let tokens = /** @type {any} */ (undefined);
  let until = 0;
  let access = "";
  let running = /** @type {Promise<string> | undefined} */ (undefined);

  /** @param {string} path @param {object} body */
  const post = async (path, body) => {
    for (let pause = 1; ; pause = Math.min(2 * pause, 30)) {
      const answer = await fetch(new URL("api/v1/" + path, base(url)), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        credentials: "same-origin",
        signal: AbortSignal.timeout(30_000), // the hash of a password may have to wait
      });
      const { status, ok } = answer;
      if (status !== 429 && status !== 503) {
        const fields = await answer.json().catch(() => ({}));
        if (ok || fields.temporary === false) return { ok, status, ...fields };
        throw new Error(`${url} answers ${status}`);
      }
      // Up to as long again, so that clients spread.
      const seconds = (Number(answer.headers.get("Retry-After")) || pause) * (1 + Math.random());
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  };
  const signIn = async () => {
    const answer = await post("sessions", { user, password, device });
    if (answer.status !== 401 || !signUp) return answer;
    const account = await post("accounts", { user, password });
    if (account.ok) return post("sessions", { user, password, device });
    return account.status === 409 ? answer : account; // of a name that is taken the password is wrong
  };
  const renew = async () => {
    // Without tokens, the page's cookie is what refreshes.
    const refreshes = tokens || !password;
    let answer = refreshes && (await post("sessions/refresh", tokens ? { refresh_token: tokens.refresh_token } : {}));
    if (password && !answer?.ok) answer = await signIn();
    if (!answer.ok) throw Object.assign(new SignedOut(answer.detail), { code: answer.code });
    tokens = answer.refresh_token && answer;
    until = Date.now() + answer.expires_in * 900;
    return (access = answer.access_token);
  };
  return async (/** @type {string | undefined} */ refused) => {
    if (refused !== access && Date.now() < until) return access;
    return (running ??= renew().finally(() => (running = undefined)));
  };
};
