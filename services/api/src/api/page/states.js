// What a part's own words come to for people: a kind (good, warn, busy, bad), a word, and a reason.

const HIDDEN = "faults";  // the resource that stands for the fault switches

export const resourcesOf = part => (part.startup?.resources ?? []).filter(each => each.name !== HIDDEN);

/** Degraded is never good, though the service is ready. */
export function stateOf(part) {
  if (!part.startup) return {kind: "bad", word: "no answer", why: part.error ?? ""};
  const {phase} = part.startup;
  if (phase === "failed" || phase === "stopped") return {kind: "bad", word: phase, why: firstError(part)};
  if (phase === "draining") return {kind: "warn", word: "draining", why: ""};
  if (phase !== "ready") return {kind: "busy", word: phase, why: waitingFor(part)};
  if (!part.ready) return {kind: "bad", word: "not ready", why: part.failing[0] ?? ""};
  const ill = resourcesOf(part).filter(each => each.state !== "ready");
  const failing = part.failing.filter(each => !ill.some(one => each.startsWith(`${one.name} `)));
  if (ill.length || failing.length) {
    return {kind: "warn", word: "degraded", why: ill.map(each => each.name).join(", ") || failing[0]};
  }
  return {kind: "good", word: "ready", why: ""};
}

export const kindOfResource = state =>
  ({ready: "good", degraded: "warn", retrying: "warn", failed: "bad", opening: "busy"})[state] ?? "none";

const firstError = part => resourcesOf(part).find(each => each.error)?.error ?? "";

/** The resources that are not open yet; the board has their errors. */
export function waitingFor(part) {
  return resourcesOf(part).filter(each => each.state !== "ready").map(each => each.name).join(", ");
}

const ORDER = ["bad", "busy", "warn", "good"];

/** The state of the whole: that of the api, unless a worker is worse. */
export function worst(parts) {
  const found = parts.map(part => ({part, ...stateOf(part)}));
  const api = found.find(each => each.part.kind === "api");
  if (api && (api.kind === "bad" || api.kind === "busy")) return api;
  const workers = found.filter(each => each.part.kind === "worker");
  const some = workers.some(each => each.kind === "good" || each.kind === "warn");
  const lowest = [...found].sort((one, other) => ORDER.indexOf(one.kind) - ORDER.indexOf(other.kind))[0];
  if (lowest.kind === "good") return lowest;
  const why = `${lowest.part.kind} ${lowest.word}`;
  if (some && lowest.kind !== "warn") return {...lowest, kind: "warn", word: "degraded", why};
  return lowest.kind === "warn" ? {...lowest, word: "degraded"} : {...lowest, word: why};
}
