// The latest reports of the cold-start lab and of the drills, where this service can read them.

import {call} from "./api.js";
import {element, make, number, sized} from "./dom.js";

const MEANS = {
  lazy: "the first request loads the model",
  blocking: "the model is loaded before the server answers",
  warm: "loaded behind a gate, while probes are answered",
  artifact: "the same, with the exported model: this is the default",
};

export async function showReports() {
  const box = element("reports");
  let found;
  try {
    found = await (await call("GET", "v1/reports")).json();
  } catch (error) {
    if (error.status === 401) return;  // until there is a key
    setTimeout(showReports, 5000);  // it starts, or has gone for a moment
    return;
  }
  box.replaceChildren(coldStart(found.coldstart, found.folder), drills(found.drills, found.folder));
}

function none(title, command, folder) {
  const why = folder ? "There is no report yet: " : "This service was given no REPORTS_FOLDER. Beside its code, ";
  return make("article", {}, make("h3", {}, title),
    make("p", {class: "quiet"}, why, make("code", {}, command), " makes one."));
}

function coldStart(found, folder) {
  const title = "Seconds from start to the first embedding";
  if (!found) return none(title, "make coldstart", folder);
  const most = Math.max(...found.strategies.map(each => each.first_embedding));
  return make("article", {}, make("h3", {}, title),
    make("ul", {class: "starts"}, found.strategies.map(each => make("li", {},
      make("span", {class: "name"}, each.name),
      make("span", {class: "track", "aria-hidden": "true"},
        sized(make("span", {class: "bar", "data-strategy": each.name}), {width: `${100 * each.first_embedding / most}%`})),
      make("b", {}, `${number(each.first_embedding, 2)} s`),
      make("small", {}, MEANS[each.name] ?? `${each.starts} starts`)))),
    make("p", {class: "quiet"}, `Medians, measured ${found.measured} on ${found.machine}. `, link(found.page)));
}

function drills(found, folder) {
  const title = "Fault drills";
  if (!found) return none(title, "make drills", folder);
  const all = found.good + found.bad.length;
  return make("article", {}, make("h3", {}, title),
    make("p", {class: "big", "data-kind": found.bad.length ? "bad" : "good"},
      make("b", {}, `${found.good} of ${all}`), " are as they must be"),
    make("p", {}, `${number(found.lost)} of ${number(found.requests)} requests were lost while something was broken.`),
    found.bad.length ? make("p", {class: "bad"}, `Not so: ${found.bad.join(", ")}`) : null,
    make("p", {class: "quiet"}, "Each drill has a control that must fail without what protects it. ", link(found.page)));
}

const link = page => make("a", {href: page, target: "_blank", rel: "noopener"}, "The whole report");
