import { useState } from "preact/hooks";
import { html } from "./html.js";
import { notice, signIn, signUp } from "./session.js";
import { texts } from "./texts.js";

/** @param {Refusal} error @param {boolean} isNew */
function explain(error, isNew) {
  const { code, field } = error;
  if (code === "unauthenticated") return texts.wrongPassword;
  if (isNew && code === "conflict") return texts.nameTaken;
  if (isNew && code === "forbidden") return texts.signUpClosed;
  if (code === "invalid") return field === "password" ? texts.passwordRefused : texts.nameRefused;
  return texts.error(error);
}

export function SignIn() {
  const [isNew, setIsNew] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [error, setError] = useState("");
  const action = isNew ? texts.signUp : texts.signIn;

  /** @param {SubmitEvent & {currentTarget: HTMLFormElement}} event */
  async function submit(event) {
    event.preventDefault();
    const { user, name = "", password } = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(event.currentTarget)));
    setIsBusy(true);
    setError("");
    try {
      await (isNew ? signUp(user.trim(), password, name.trim()) : signIn(user.trim(), password));
    } catch (failure) {
      setError(explain(/** @type {Refusal} */ (failure), isNew));
      setIsBusy(false);
    }
  }

  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><path d="M8 3h16a6 6 0 0 1 6 6v8a6 6 0 0 1-6 6h-9l-7 6v-6a6 6 0 0 1-6-6V9a6 6 0 0 1 6-6z" /></svg>
      <h1>${action}</h1>
      <p class="failure" role="alert">${error || notice.value}</p>
      <label>${texts.user}<input name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="32" autofocus /></label>
      ${isNew && html`<label><span>${texts.shownName} <span class="soft">(${texts.optional})</span></span><input name="name" autocomplete="name" maxlength="100" /></label>`}
      <label>${texts.password}<input name="password" type="password" required minlength=${isNew ? 8 : undefined} maxlength="1024"
        placeholder=${isNew ? texts.passwordHint : ""} autocomplete=${isNew ? "new-password" : "current-password"} /></label>
      <button class="main" disabled=${isBusy}>${action}</button>
      <p class="soft">${isNew ? texts.signUpFirst : texts.signInFirst} <button type="button" class="link" onClick=${() => (setIsNew(!isNew), setError(""))}>
        ${isNew ? texts.signIn : texts.signUp}</button></p>
    </form>
  </main>`;
}
