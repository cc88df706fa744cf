// Calls the api with the key of this tab. Addresses are relative: a proxy may offer the page below a prefix.

import {remember, remembered} from "./storage.js";

const KEY = "warmstart-key";
const PATIENCE = 90;  // seconds that a call is sent again while the service asks for it

export class ApiError extends Error {
  constructor(status, error, retryAfter) {
    super(error.message);
    Object.assign(this, {status, param: error.param, code: error.code, retryAfter});
  }
}

export const key = {
  get: () => remembered(KEY),
  set: value => remember(KEY, value),
};

/** The response of a call that succeeded. Throws ApiError for any other answer, TypeError where there is none. */
export async function call(method, path, body, signal) {
  const headers = {};
  if (key.get()) headers.Authorization = `Bearer ${inBytes(key.get())}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {method, headers, signal, cache: "no-store", body: body && JSON.stringify(body)});
  if (!response.ok) throw await failure(response);
  return response;
}

/** A header holds bytes: a key is sent in UTF-8, as by curl, and `fetch` throws for other characters than bytes. */
const inBytes = text => String.fromCharCode(...new TextEncoder().encode(text));

async function failure(response) {
  let error = {message: `the service answered ${response.status}`};
  try {
    error = (await response.json()).error ?? error;
  } catch { /* a proxy's answer */ }
  if (response.status === 401) document.dispatchEvent(new CustomEvent("key-needed"));
  return new ApiError(response.status, error, Number(response.headers.get("Retry-After")) || 0);
}

/** As `call`, with `waiting(why)` before each pause, again while the service is overloaded, starts, or counts against a quota, when it says to. */
export async function patiently(method, path, body, signal, waiting) {
  const ends = performance.now() + PATIENCE * 1000;
  for (let tries = 0; ; tries += 1) {
    try {
      return await call(method, path, body, signal);
    } catch (error) {
      const gone = error instanceof TypeError;  // no answer at all
      const sent = Boolean(error.param);  // the fault is in what was sent, and stays
      if (!gone && (sent || ![429, 503].includes(error.status))) throw error;
      const seconds = (!gone && error.retryAfter) || Math.min(4, 2 ** tries);
      if (performance.now() + seconds * 1000 > ends) throw error;
      waiting(gone ? `no answer; again in ${seconds} s` : `waiting ${seconds} s, as the service asks: ${error.message}`);
      await pause(seconds, signal);
    }
  }
}

export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, {once: true});
  });
}

export const words = error => error instanceof TypeError ? "The service doesn't answer." : sentence(error.message);

export const sentence = text => text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : text;
