// Starts the parts of the page.

import {startAdding} from "./add.js";
import {key} from "./api.js";
import {element} from "./dom.js";
import {offer} from "./examples.js";
import {showReports} from "./reports.js";
import {startSearch} from "./search.js";
import {lookNow, startLooking} from "./system.js";

element("base").textContent = new URL("v1", location).href;
element("key").value = key.get();

element("key-form").addEventListener("submit", event => {
  event.preventDefault();
  key.set(element("key").value.trim());
  asked = false;
  element("key-box").open = false;
  lookNow();
  showReports();
});

element("key-box").addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  element("key-box").open = false;
  element("key-box").querySelector("summary").focus();
});

let asked = false;
document.addEventListener("key-needed", () => {  // once for each key: whoever closes it wants it closed
  if (!asked) element("key-box").open = true;
  asked = true;
});

startSearch(offer);
startAdding();
startLooking();
showReports();
