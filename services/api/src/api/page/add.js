// The form to add documents: paste, or a file; what it stores, and what it was refused.

import {words} from "./api.js";
import {element, make, number, say} from "./dom.js";
import {pasted} from "./lines.js";
import {nothing, storeAll, storeStream} from "./upload.js";

let stopping = null;  // of the upload that runs

export function startAdding() {
  element("add").addEventListener("submit", event => { event.preventDefault(); paste(); });
  element("file").addEventListener("change", event => file(event.target.files));
  element("cancel").addEventListener("click", () => stopping?.abort());
  const drop = element("drop");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, event => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover" && !stopping);
      if (kind === "drop") file(event.dataTransfer.files);
    });
  }
}

async function paste() {
  const text = element("text").value, each = element("lines").checked;
  if (!text.trim()) { say("added", "There is no text to add.", "warn"); element("text").focus(); return; }
  const all = await run(async (signal, told) => {
    const {stream, documents} = pasted(text, each);
    await (stream ? storeStream(stream, "", signal, told) : storeAll(documents, signal, told));
  });
  if (all) element("text").value = "";
}

async function file(files) {
  if (stopping || !files.length) return;
  const [{name, size}] = files;
  if (files.length > 1) say("added", "One file at a time: none of these was stored.", "warn");
  else await run((signal, told) => storeStream(files[0].stream(), name, signal, told), size);
  element("file").value = "";
}

/** Store given documents, such as the examples. */
export const addDocuments = documents =>
  run((signal, told) => storeAll(documents.map((document, place) => ({number: place + 1, document})), signal, told));

/** True when all was stored. One at a time: the forms are off meanwhile, and what is dropped is left. */
async function run(work, size = 0) {
  if (stopping) return false;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const told = nothing(() => {
    if (size) element("progress").value = Math.min(1, told.bytes / size);
    const pace = told.waiting || `${number(told.stored / seconds())} a second`;
    say("added", `${number(told.stored)} stored, ${pace}`, told.waiting ? "warn" : "");
    refusals(told.refused);
  });
  stopping = new AbortController();
  busy(true);
  try {
    await work(stopping.signal, told);
    return ended(told, seconds());
  } catch (error) {
    const why = stopping.signal.aborted ? "Stopped." : words(error);
    say("added", `${why} ${number(told.stored)} were stored before.`, "bad");
    return false;
  } finally {
    refusals(told.refused);
    stopping = null;
    busy(false);
  }
}

function ended({stored, refused, gaveUp}, seconds) {
  const all = !refused.length;
  const few = all ? "" : `, ${number(refused.length)} refused`;
  const rest = gaveUp ? " After so many the rest of it was left." : "";
  say("added", `${number(stored)} stored in ${number(seconds, 1)} s${few}.${rest}`, gaveUp ? "bad" : all && stored ? "good" : "warn");
  return all;
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
