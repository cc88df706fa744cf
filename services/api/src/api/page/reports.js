// The latest reports of the cold-start lab and of the drills, where this service can read them.

import {element, make} from "./dom.js";

export async function showReports() {
  element("reports").replaceChildren(make("p", {class: "quiet"}, "None."));
}
