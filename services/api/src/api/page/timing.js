// `Server-Timing` as a bar of stages; what is left of the whole time is the network and the rest of the api.

import {make, number, sized} from "./dom.js";

const STAGES = {
  cache: "cache", tokenize: "tokenize", queue: "queue", inference: "inference", database: "database", rest: "network and api",
};

/** `[["cache", 0.4], …]`: milliseconds. */
export function stages(header, total) {
  const found = [...(header ?? "").matchAll(/([\w-]+);dur=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]);
  const rest = total - found.reduce((sum, [, value]) => sum + value, 0);
  return [...found, ["rest", Math.max(0, rest)]];
}

const seen = ([, value]) => value >= 0.05;  // what a cached text spares is left out

export function timingBar(header, total) {
  const parts = stages(header, total);
  const sum = parts.reduce((all, [, value]) => all + value, 0) || 1;
  const bar = make("div", {class: "stages", "aria-hidden": "true"}, parts.filter(seen).map(([name, value]) =>
    sized(make("span", {"data-stage": name}), {"flex-grow": String(value / sum)})));
  const legend = make("ul", {class: "legend", "aria-label": "Where the time went"}, parts.filter(seen).map(([name, value]) =>
    make("li", {"data-stage": name}, `${STAGES[name] ?? name} `, make("b", {}, `${number(value, 1)} ms`))));
  return make("div", {class: "timing"}, bar, legend);
}
