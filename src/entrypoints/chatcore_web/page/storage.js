// What this browser keeps of the chat. Where storage is switched off or full, the page works without.
const PREFIX = `chatcore ${location.pathname} `;

/** @param {string} name */
export function kept(name) {
  try {
    return localStorage.getItem(PREFIX + name) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name @param {string} text */
export function keep(name, text) {
  try {
    if (text) localStorage.setItem(PREFIX + name, text);
    else localStorage.removeItem(PREFIX + name);
  } catch {
    // it is not kept
  }
}

/** Forgets everything that was kept under names with this beginning. @param {string} beginning */
export function forget(beginning) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX + beginning)) localStorage.removeItem(key);
  } catch {
    // nothing is kept
  }
}
