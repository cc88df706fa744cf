// One document that a search has found.

import {call, words} from "./api.js";
import {cut, make, number, sized} from "./dom.js";

const LONG = 320, LONG_CHIP = 80;  // characters that are shown of a text, and of a key and its value

/** `filter(key, value)` is called by a chip, `gone(id)` after the document was deleted. */
export function resultItem(found, filter, gone) {
  const score = Math.max(0, Math.min(1, found.score));
  const bar = make("span", {class: "score-bar", "aria-hidden": "true"},
    sized(make("span"), {width: `${score * 100}%`}));
  return make("li", {class: "result"},
    make("div", {class: "score"}, bar,
      make("span", {class: "unseen"}, "Score "), make("b", {}, number(found.score, 3))),
    ...text(found.text),
    ...long(found.metadata),
    make("div", {class: "chips"},
      make("code", {class: "id", title: found.id}, found.id),
      ...Object.entries(found.metadata).map(([name, value]) => chip(name, value, filter)),
      remover(found.id, gone)));
}

const paragraph = whole => make("p", {class: "text", dir: "auto"}, whole);

const more = (title, whole) => make("details", {class: "more"}, make("summary", {}, title), paragraph(whole));

function text(whole) {
  return whole.length > LONG ? [paragraph(cut(whole, LONG)), more("All of it", whole)] : [paragraph(whole)];
}

/** As a chip and in full. */
export const label = (name, value) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
export const short = (name, value) => cut(label(name, value), LONG_CHIP);

/** What is cut in its chip. */
function long(metadata) {
  const all = Object.entries(metadata).map(entry => label(...entry)).filter(each => each.length > LONG_CHIP);
  return all.length ? [more("All of its metadata", all.join("\n"))] : [];
}

/** Only what the api compares for equality is a filter: no list, no object. */
function chip(name, value, filter) {
  const shown = short(name, value);
  if (typeof value === "object") return make("span", {class: "chip", dir: "auto"}, shown);
  const press = () => filter(name, value);
  return make("button", {class: "chip", type: "button", dir: "auto", "aria-label": `Only ${shown}`, onclick: press}, shown);
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
