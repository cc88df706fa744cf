// Small charts of the last minutes. Each says its newest value in words; the line is for the eyes.

import {draw, make, number, put} from "./dom.js";

const WIDTH = 240, HEIGHT = 44;
const LEAST = 60_000;  // milliseconds that fill a chart. More are drawn closer together.
const RECENT = 10_000;  // milliseconds for which a value is the newest: Latency and hits have one only with requests

const rate = value => `${number(value, value > 0 && value < 10 ? 1 : 0)}/s`;
const time = value => value < 0.01 ? `${number(value * 1000, 1)} ms` : value < 1 ? `${number(value * 1000)} ms` : `${number(value, 1)} s`;
const percent = value => `${number(value * 100)} %`;
const tokens = value => `${number(value)} tokens`;

const CHARTS = [
  {title: "Requests", lines: ["rate"], say: rate, least: 1, shape: area},
  {title: "Latency", lines: ["p50", "p95"], say: time, least: 0.005, shape: line},
  {title: "Cache hits", lines: ["hits"], say: percent, least: 1, shape: line},
  {title: "Worker queue", lines: ["queue"], say: tokens, least: 100, shape: area},
];

export function showCharts(box, points) {
  put(box, CHARTS.map(chart => figure(chart, points)));
}

function figure({title, lines, say, least, shape}, points) {
  const most = Math.max(least, ...points.flatMap(point => lines.map(name => point[name] ?? 0)));
  const end = points.at(-1)?.at ?? 0;
  const recent = points.filter(point => end - point.at < RECENT);
  const newest = lines.map(name => recent.findLast(point => point[name] !== null)?.[name] ?? null);
  const said = newest.map((value, place) => value === null ? null : make("span", {"data-line": place},
    lines.length > 1 ? make("small", {}, `${lines[place]} `) : null, say(value)));
  return make("figure", {class: "chart"},
    make("figcaption", {}, title),
    make("p", {class: "value"}, newest.every(value => value === null) ? "–" : said),
    draw("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true"},
      draw("line", {class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5}),
      lines.map((name, place) => draw("path", {class: shape === area ? "line area" : "line", "data-line": place, d: shape(runs(points, name, most))}))));
}

/** The measured points of a line as `x y`, newest at the right: a list for each time without a gap. */
function runs(points, name, most) {
  const [begin, end] = [points[0]?.at, points.at(-1)?.at];
  const span = Math.max(LEAST, end - begin);
  const x = at => (WIDTH - (end - at) * WIDTH / span).toFixed(1);
  const y = value => (HEIGHT - 2 - (HEIGHT - 6) * value / most).toFixed(1);
  const found = [[]];
  for (const point of points) {
    if (point[name] !== null) found.at(-1).push([x(point.at), y(point[name])]);
    else found.push([]);
  }
  return found.filter(run => run.length);
}

/** Of what is only measured by requests: the line leads over the time without any. */
function line(found) {
  const points = found.flat().map(each => each.join(" "));
  return points.length ? `M${points[0]}h.01${points.slice(1).map(each => `L${each}`).join("")}` : "M0 0";
}

/** Of what is zero without requests: nothing is drawn where nothing was measured. */
function area(found) {
  const under = run => `M${run[0][0]} ${HEIGHT - 1}${run.map(each => `L${each.join(" ")}`).join("")}V${HEIGHT - 1}Z`;
  return found.map(under).join("") || "M0 0";
}
