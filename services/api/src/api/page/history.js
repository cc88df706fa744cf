// Rates and quantiles of the last minutes, from two looks at the api's counts.

import {remember, remembered} from "./storage.js";

const SPAN = 5 * 60_000;  // milliseconds
const MOST = 300;  // points
const KEPT = "warmstart-history";  // of this tab, so that the charts outlive a reload

const NOTHING = {rate: null, p50: null, p95: null, hits: null};

/** The points of all charts, oldest first; `add(system)` takes one look. */
export class History {
  points = kept().filter(each => each.at > Date.now() - SPAN);
  #last = new Map();

  add({instance, figures, parts}) {
    const before = this.#last.get(instance);
    if (before?.clock === figures.clock) return;  // the same answer again: the api's is up to a second old
    this.#last.set(instance, figures);
    const queues = parts.filter(each => Object.keys(each.queue ?? {}).length);  // a worker that starts has no lanes yet
    const queue = queues.length ? sum(queues.flatMap(each => Object.values(each.queue))) : null;
    const seconds = before ? figures.clock - before.clock : 0;
    // Another pod's counts, or those of one that has been replaced, say nothing about this one.
    const comparable = seconds > 0 && figures.requests >= before.requests;
    const measured = comparable ? between(before, figures, seconds) : NOTHING;
    const at = Date.now();
    this.points = [...this.points.filter(each => each.at > at - SPAN), {at, queue, ...measured}].slice(-MOST);
    remember(KEPT, JSON.stringify(this.points));
  }
}

function kept() {
  try {
    return JSON.parse(remembered(KEPT) || "[]");
  } catch {
    return [];
  }
}

function between(before, now, seconds) {
  const earlier = new Map(before.buckets.map(([limit, count]) => [limit, count]));
  const counts = now.buckets.map(([limit, count]) => [limit, count - (earlier.get(limit) ?? 0)]);
  const hits = now.cache_hits - before.cache_hits;
  const looked = hits + now.cache_misses - before.cache_misses;
  return {
    rate: (now.requests - before.requests) / seconds,
    p50: quantile(counts, 0.5),
    p95: quantile(counts, 0.95),
    hits: looked > 0 ? hits / looked : null,
  };
}

/** In seconds, as Prometheus' histogram_quantile estimates it; null without a request. */
export function quantile(buckets, share) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const wanted = share * total;
  let [below, counted] = [0, 0];
  for (const [limit, count] of buckets) {
    if (count >= wanted) return limit === null ? below : below + (limit - below) * (wanted - counted) / (count - counted);
    [below, counted] = [limit, count];
  }
  return below;
}

const sum = values => values.reduce((all, each) => all + each, 0);
