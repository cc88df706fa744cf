// The search box: results, filters, and where the time went.

import {patiently, sentence, words} from "./api.js";
import {element, make, number, say} from "./dom.js";
import {resultItem, short} from "./result.js";
import {timingBar} from "./timing.js";

const CLOSE = 0.3;  // cosine: below it all-MiniLM-L6-v2 scores texts of other subjects
const filters = new Map();
let under_way = null;
let empty = () => [];

/** `nothing()` makes what is offered when there is no document at all. */
export function startSearch(nothing) {
  empty = nothing;
  element("search").addEventListener("submit", event => { event.preventDefault(); search(); });
}

export async function searchFor(query) {
  element("query").value = query;
  await search();
}

async function search() {
  const query = element("query").value;
  if (!query.trim()) return;
  under_way?.abort();
  const turn = under_way = new AbortController();
  say("found", "Searching …");
  const body = {query, limit: Number(element("limit").value), filter: Object.fromEntries(filters)};
  try {
    const began = performance.now();
    const waiting = why => say("found", sentence(why), "warn");
    const response = await patiently("POST", "v1/search", body, turn.signal, waiting);
    const {results} = await response.json();
    show(results, response.headers.get("Server-Timing"), performance.now() - began);
  } catch (error) {
    if (turn.signal.aborted) return;
    element("results").replaceChildren();
    element("timing").replaceChildren();
    say("found", words(error), "bad");
  }
}

function show(results, timing, milliseconds) {
  const took = ` in ${number(milliseconds)} ms`;
  const best = results[0]?.score ?? 0;
  if (!results.length) say("found", `Nothing found${took}.`, "warn");
  else if (best < CLOSE) say("found", `Nothing close: the best score is ${number(best, 2)}${took}.`, "warn");
  else say("found", `${number(results.length)} found${took}.`, "good");
  element("timing").replaceChildren(timingBar(timing, milliseconds));
  element("results").classList.toggle("far", best < CLOSE);
  element("results").replaceChildren(...results.map(each => resultItem(each, add, gone)));
  if (!results.length && !filters.size) element("results").replaceChildren(...empty());
}

function gone(id) {
  say("found", `Deleted ${id}.`, "good");
  const shown = [...element("results").children].find(each => each.querySelector(".id")?.textContent === id);
  const next = shown?.nextElementSibling ?? shown?.previousElementSibling;
  shown?.remove();
  (next?.querySelector("button") ?? element("query")).focus();
}

function add(name, value) {
  filters.set(name, value);
  changed();
}

function changed() {
  const box = element("filters");
  box.hidden = !filters.size;
  box.replaceChildren(...[...filters].map(([name, value]) => make("button", {
    class: "chip on", type: "button", dir: "auto", "aria-label": `Remove the filter ${short(name, value)}`,
    onclick: () => { filters.delete(name); changed(); element("query").focus(); },
  }, short(name, value), make("span", {"aria-hidden": "true"}, " ×"))));
  search();
}
