// Small charts of the last minutes. Each says its newest value in words; the line is for the eyes.

import {draw, make, number, put} from "./dom.js";

const WIDTH = 240, HEIGHT = 44;
const LEAST = 30;  // points that fill a chart: a minute. More are drawn closer together.

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
  const newest = lines.map(name => points.findLast(point => point[name] !== null)?.[name] ?? null);
  const said = newest.map((value, place) => value === null ? null : make("span", {"data-line": place},
    lines.length > 1 ? make("small", {}, `${lines[place]} `) : null, say(value)));
  return make("figure", {class: "chart"},
    make("figcaption", {}, title),
    make("p", {class: "value"}, newest.every(value => value === null) ? "–" : said),
    draw("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true"},
      draw("line", {class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5}),
      lines.map((name, place) => shape(points.map(point => point[name]), most, place))));
}

/** Newest at the right. */
const x = (index, length) => (WIDTH - (length - 1 - index) * WIDTH / (Math.max(LEAST, length) - 1)).toFixed(1);
const y = (value, most) => (HEIGHT - 2 - (HEIGHT - 6) * value / most).toFixed(1);

/** Of what is only measured by requests: the line leads over the time without any. */
function line(values, most, place) {
  const points = values.flatMap((value, index) => value === null ? [] : [`${x(index, values.length)} ${y(value, most)}`]);
  const steps = points.length ? `M${points[0]}h.01${points.slice(1).map(each => `L${each}`).join("")}` : "M0 0";
  return draw("path", {class: "line", "data-line": place, d: steps});
}

/** Of what is zero without requests. */
function area(values, most, place) {
  const first = values.findIndex(value => value !== null);
  if (first < 0) return draw("path", {d: "M0 0"});
  const steps = values.slice(first).map((value, index) =>
    `L${x(first + index, values.length)} ${y(value ?? 0, most)}`).join("");
  return draw("path", {class: "line area", "data-line": place,
    d: `M${x(first, values.length)} ${HEIGHT - 1}${steps}V${HEIGHT - 1}Z`});
}
