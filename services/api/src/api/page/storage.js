// What this tab remembers: the key, and the last minutes. A browser may forbid it; then the page forgets with a reload.

const instead = new Map();

export function remember(name, text) {
  instead.set(name, text);
  try {
    sessionStorage.setItem(name, text);
  } catch { /* forbidden, or full */ }
}

export function remembered(name) {
  try {
    return sessionStorage.getItem(name) ?? instead.get(name) ?? "";
  } catch {
    return instead.get(name) ?? "";
  }
}
