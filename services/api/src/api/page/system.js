// Looks at the system again and again while the page is seen, and shows it.

import {call, key, words} from "./api.js";
import {showBoard} from "./board.js";
import {showCharts} from "./charts.js";
import {element, make, number, put, say} from "./dom.js";
import {showFaults} from "./faults.js";
import {History} from "./history.js";
import {showModels} from "./models.js";
import {waitingFor, worst} from "./states.js";

const CALM = 2000, BUSY = 700;  // milliseconds between two looks: while all is well, and while something starts

const history = new History();
let timer = null;

export function startLooking() {
  document.addEventListener("visibilitychange", () => { if (!document.hidden) lookNow(); });
  lookNow();
}

export function lookNow() {
  clearTimeout(timer);
  look();
}

async function look() {
  let next = CALM;
  try {
    const signal = AbortSignal.timeout(5000);
    const system = await (await call("GET", "v1/system", undefined, signal)).json();
    next = show(system) === "busy" ? BUSY : CALM;
  } catch (error) {
    lost(error);
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, next);
}

function show(system) {
  const state = worst(system.parts);
  headline(state.word, state.kind, state.why);
  warmUp(system.parts, state);
  history.add(system);
  showCharts(element("charts"), history.points);
  showBoard(element("board"), system);
  showFaults(system);
  if (state.kind === "good" || state.kind === "warn") showModels();
  say("instance", `pod ${system.instance}`);
  return state.kind;
}

function headline(word, kind, why) {
  const text = why && kind === "warn" ? `${word}: ${why}` : word;
  if (element("state").textContent !== text) element("state").textContent = text;
  element("state").dataset.state = kind;
  document.title = kind === "good" ? "Warmstart" : `${word} · Warmstart`;
}

/** What the system waits for. It goes away by itself. */
function warmUp(parts, state) {
  element("warmup").hidden = state.kind !== "busy";
  if (state.kind !== "busy") return;
  const starting = parts.filter(each => each.startup && ["starting", "warming"].includes(each.startup.phase));
  const lines = starting.map(each => `The ${each.kind} waits for ${waitingFor(each) || "its other processes"}.`);
  const away = parts.filter(each => !each.startup).map(each => `The ${each.kind} at ${each.address} gives no answer yet.`);
  const seconds = Math.max(0, ...starting.map(each => each.startup.elapsed_seconds));
  say("waiting", [...lines, ...away].join(" "));
  element("warmup-title").textContent = `Warming up, ${number(seconds, 0)} s`;
}

function lost(error) {
  const keyless = error.status === 401, refused = keyless && key.get();
  const kind = keyless ? "warn" : "bad";
  headline(refused ? "key refused" : keyless ? "needs a key" : error.status ? `error ${error.status}` : "no answer", kind, "");
  element("warmup").hidden = true;
  const text = refused ? `The key above doesn't open this: ${error.message}.`
    : keyless ? "This service was given keys: enter one above to see it." : words(error);
  put(element("board"), [make("p", {class: kind === "bad" ? "bad" : "warn-text"}, text)]);
}
