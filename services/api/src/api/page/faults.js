// Fault switches; the section is there only with FAULTS_ENABLED.

import {element} from "./dom.js";

export function showFaults({faults}) {
  element("faults").hidden = !faults;
}
