// One document that a search has found.

import {call, words} from "./api.js";
import {make, number, sized} from "./dom.js";

const LONG = 320;  // characters that are shown of a text

/** `filter(key, value)` is called by a chip, `gone(id)` after the document was deleted. */
export function resultItem(found, filter, gone) {
  const score = Math.max(0, Math.min(1, found.score));
  const bar = make("span", {class: "score-bar", "aria-hidden": "true"},
    sized(make("span"), {width: `${score * 100}%`}));
  return make("li", {class: "result"},
    make("div", {class: "score"}, bar,
      make("span", {class: "unseen"}, "Score "), make("b", {}, number(found.score, 3))),
    ...text(found.text),
    make("div", {class: "chips"},
      make("code", {class: "id", title: found.id}, found.id),
      ...Object.entries(found.metadata).map(([name, value]) => chip(name, value, filter)),
      remover(found.id, gone)));
}

function text(whole) {
  if (whole.length <= LONG) return [make("p", {class: "text"}, whole)];
  const rest = make("details", {class: "more"}, make("summary", {}, "All of it"), make("p", {class: "text"}, whole));
  return [make("p", {class: "text"}, `${whole.slice(0, LONG)} …`), rest];
}

/** Only what the api compares for equality is a filter: no list, no object. */
function chip(name, value, filter) {
  const shown = `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
  if (typeof value === "object") return make("span", {class: "chip"}, shown);
  return make("button", {class: "chip", type: "button", "aria-label": `Only ${shown}`, onclick: () => filter(name, value)},
    shown);
}

/** Two steps: there is no way back. */
function remover(id, gone) {
  const place = make("span", {class: "remove"});
  const ask = make("button", {class: "plain", type: "button", "aria-label": `Delete ${id}`, onclick: question}, "Delete");
  function question() {
    const sure = make("button", {class: "plain bad", type: "button", onclick: remove}, "Delete for good");
    place.replaceChildren(sure, make("button", {class: "plain", type: "button", onclick: back}, "Keep"));
    sure.focus();
  }
  function back() {
    place.replaceChildren(ask);
    ask.focus();
  }
  async function remove() {
    try {
      await call("DELETE", `v1/documents/${encodeURIComponent(id)}`);
      gone(id);
    } catch (error) {
      if (error.status === 404) gone(id);
      else place.replaceChildren(make("span", {class: "bad", role: "alert"}, words(error)));
    }
  }
  place.append(ask);
  return place;
}
