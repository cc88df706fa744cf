// The served model, and while it is being replaced the other one with the progress.

import {call} from "./api.js";
import {number, say} from "./dom.js";

const PAUSE = 10_000;  // milliseconds between two looks

let asked = -PAUSE;

export async function showModels() {
  if (performance.now() - asked < PAUSE) return;
  asked = performance.now();
  try {
    const {data} = await (await call("GET", "v1/models")).json();
    const embed = data.filter(each => "dimensions" in each);  // a model of chats has none
    say("models", embed.map(words).join(" · "));
  } catch {
    asked = -PAUSE;  // it starts: what it said last may still be true
  }
}

function words(model) {
  const progress = model.progress === null ? "" : `, ${Math.floor(100 * model.progress)} % of the documents`;
  return `${model.id}, ${number(model.dimensions)} dimensions, ${model.engine} ${model.precision}: ${model.status}${progress}`;
}
