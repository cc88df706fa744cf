// The board: the api and every worker, each with its phase and the timeline of its last start.

import {make, number, put, sized} from "./dom.js";
import {kindOfResource, resourcesOf, stateOf} from "./states.js";

const NAMES = {api: "api", worker: "worker", next: "worker of the next model"};

export function showBoard(box, {parts, unasked}) {
  const cards = parts.map(card);
  if (unasked) cards.push(make("p", {class: "quiet"}, `${unasked} more workers were not asked.`));
  put(box, cards);
}

function card(part) {
  const state = stateOf(part);
  return make("article", {class: "part", "data-kind": state.kind},
    make("div", {class: "head"},
      make("h3", {}, NAMES[part.kind], " ", make("span", {class: "quiet"}, part.address)),
      make("span", {class: "pill", "data-state": state.kind}, state.word)),
    ...(part.startup ? [timeline(part), detail(part), ...failing(part, state)].filter(Boolean) : [make("p", {class: "bad"}, state.why)]));
}

/** Bars begin with the process; each ends where its resource was open. */
function timeline(part) {
  const resources = resourcesOf(part);
  if (!resources.length) return make("p", {class: "quiet"}, "Its details are for operators' keys.");
  const whole = Math.max(0.1, ...resources.map(each => each.elapsed_seconds));
  return make("ul", {class: "timeline", "aria-label": "The last start"}, resources.map(each => {
    const kind = kindOfResource(each.state);
    const bar = sized(make("span", {class: "bar", "data-kind": kind}), {width: `${100 * each.elapsed_seconds / whole}%`});
    const tries = each.attempts > 1 ? `, ${each.attempts} attempts` : "";
    return make("li", {},
      make("span", {class: "name"}, each.name, !each.required && make("small", {}, " optional")),
      make("span", {class: "track", "aria-hidden": "true"}, bar),
      make("span", {class: "seconds"}, `${number(each.elapsed_seconds, 2)} s`),
      make("span", {class: "resource-state", "data-kind": kind}, `${each.state}${tries}`),
      each.error && make("span", {class: "why"}, each.error));
  }));
}

function detail(part) {
  const {processes} = part.startup;
  const said = resourcesOf(part).map(each => each.detail).filter(Boolean);
  const ready = processes.filter(each => each.phase === "ready").length;
  const many = processes.length > 1 ? [`${ready} of ${processes.length} processes ready`] : [];
  const queue = Object.entries(part.queue ?? {}).filter(([, tokens]) => tokens > 0);
  const waiting = queue.length ? [`waiting: ${queue.map(([lane, tokens]) => `${number(tokens)} tokens ${lane}`).join(", ")}`] : [];
  const lines = [...said, ...many, ...waiting];
  return lines.length ? make("p", {class: "quiet detail"}, lines.join(" · ")) : null;
}

/** What a probe says besides the resources' own errors. */
function failing(part, state) {
  if (state.kind === "busy") return [];  // it says what it waits for
  const errors = resourcesOf(part).filter(each => each.error).map(each => each.name);
  const others = part.failing.filter(each => !errors.some(name => each.startsWith(`${name} `)));
  return others.map(each => make("p", {class: part.ready ? "warn-text" : "bad"}, each));
}
