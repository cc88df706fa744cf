// A button for each fault switch; the section is there only with FAULTS_ENABLED.

import {call, words} from "./api.js";
import {element, make, say} from "./dom.js";

const SECONDS = 30;
const START = 120;  // seconds for what the next start obeys

const BOTH = {
  "unready": {unready: true},
  "event loop blocked": {blocked_loop: true},
  "clock an hour ahead": {moved_clock: 3600},
  "256 MB leaked": {leaked_mb: 256},
  "next start 10 s slower": {slow_warmup: 10},
  "next start fails": {failing_warmup: true},
};

const SWITCHES = {
  api: {
    "Postgres looks dead": {failing_checks: ["postgres"]},
    "Valkey looks dead": {failing_checks: ["redis"]},
    "worker looks dead": {failing_checks: ["worker"]},
    ...BOTH,
  },
  worker: {
    "model looks broken": {failing_checks: ["model"]},
    "inference 2 s slower": {slow_calls: {inference: 2}},
    "inference fails": {failing_calls: ["inference"]},
    "the text “deadly” kills": {deadly_text: "deadly"},
    ...BOTH,
  },
};

const timers = new Map();

export function showFaults({faults}) {
  const box = element("faults");
  if (box.hidden !== faults) return;
  box.hidden = !faults;
  element("switches").replaceChildren(...Object.entries(SWITCHES).map(([service, switches]) =>
    make("fieldset", {}, make("legend", {}, service),
      make("div", {class: "chips"}, Object.entries(switches).map(([title, body]) => button(service, title, body))))));
}

function button(service, title, body) {
  const turn = async event => {
    const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
    await set(service, on ? title : "", on ? body : {});
  };
  return make("button", {type: "button", class: "chip", "aria-pressed": "false", onclick: turn}, title);
}

/** One switch of a service at a time: what is set replaces what was. */
async function set(service, title, body) {
  const seconds = "slow_warmup" in body || "failing_warmup" in body ? START : SECONDS;
  try {
    await call("PUT", `v1/faults/${service}?seconds=${seconds}`, body);
  } catch (error) {
    say("switched", words(error), "bad");
    return;
  }
  press(service, title);
  clearTimeout(timers.get(service));
  say("switched", title ? `${service}: ${title}, for ${seconds} s` : `${service}: all switches are off`, title ? "warn" : "good");
  if (!title) return;
  const ended = () => { press(service, ""); say("switched", `${service}: off again`, "good"); };
  timers.set(service, setTimeout(ended, seconds * 1000));
}

function press(service, title) {
  const group = [...element("switches").children].find(each => each.querySelector("legend").textContent === service);
  for (const each of group.querySelectorAll("button")) each.setAttribute("aria-pressed", each.textContent === title);
}
