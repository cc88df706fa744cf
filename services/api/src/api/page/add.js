// The form to add documents: paste, or a file; what it stores, and what it was refused.

import {words} from "./api.js";
import {element, make, number, say} from "./dom.js";
import {pasted} from "./lines.js";
import {storeAll, storeStream} from "./upload.js";

let stopping = null;

export function startAdding() {
  element("add").addEventListener("submit", async event => {
    event.preventDefault();
    const text = element("text").value;
    if (!text.trim()) { say("added", "There is no text to add.", "warn"); element("text").focus(); return; }
    if (await run(source(pasted(text, element("lines").checked)))) element("text").value = "";
  });
  element("file").addEventListener("change", event => file(event.target.files[0]));
  element("cancel").addEventListener("click", () => stopping?.abort());
  const drop = element("drop");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, event => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop") file(event.dataTransfer.files[0]);
    });
  }
}

async function file(chosen) {
  if (chosen) await run(source({stream: chosen.stream(), size: chosen.size}));
  element("file").value = "";
}

/** Store given documents, such as the examples. */
export const addDocuments = documents =>
  run(source({documents: documents.map((document, place) => ({number: place + 1, document}))}));

function source({stream, size, documents}) {
  if (stream) return [size, (signal, tell) => storeStream(stream, signal, tell)];
  const told = {stored: 0, bytes: 0, refused: [], waiting: ""};
  return [0, async (signal, tell) => { await storeAll(documents, signal, told, tell); return told; }];
}

/** True when all was stored. One at a time: the forms are off meanwhile. */
async function run([size, work]) {
  const began = performance.now();
  let told = {stored: 0, refused: []};
  stopping = new AbortController();
  busy(true);
  const tell = now => {
    told = now;
    if (size) element("progress").value = Math.min(1, now.bytes / size);
    const rate = now.stored / ((performance.now() - began) / 1000);
    const pace = now.waiting ? now.waiting : `${number(rate)} a second`;
    say("added", `${number(now.stored)} stored, ${pace}`, now.waiting ? "warn" : "");
    refusals(now.refused);
  };
  try {
    told = await work(stopping.signal, tell);
    refusals(told.refused);
    const seconds = number((performance.now() - began) / 1000, 1);
    const refused = told.refused.length ? `, ${told.refused.length} refused` : "";
    say("added", `${number(told.stored)} stored in ${seconds} s${refused}.`, refused ? "warn" : "good");
    return !refused;
  } catch (error) {
    const why = stopping.signal.aborted ? "Stopped." : words(error);
    say("added", `${why} ${number(told.stored)} were stored before.`, "bad");
    return false;
  } finally {
    busy(false);
  }
}

function busy(now) {
  element("upload").hidden = !now;
  element("progress").removeAttribute("value");  // a bar that runs, until there is a size
  for (const each of element("add").elements) each.disabled = now;
  element("file").disabled = now;
  if (now) refusals([]);
}

function refusals(refused) {
  element("refused").hidden = !refused.length;
  element("refused").replaceChildren(...refused.map(each => make("li", {}, `Line ${each.number}: ${each.why}`)));
}
