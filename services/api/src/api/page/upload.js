// Stores documents in batches, as fast as the service takes them: it says when to come again, and that is obeyed.

import {patiently} from "./api.js";
import {documentOf, isJson, linesOf, refuseWhole} from "./lines.js";

const BATCH = 64;  // documents of one call
const BATCH_CHARACTERS = 256 * 1024;
const MOST_REFUSED = 20;  // bad lines after which the rest of a file is left
const OF_THE_CALL = ["over_quota", "too_many_values", "invalid_body"];  // codes of errors that name no document

/** What an upload has come to; `refused` are `{number, why}`. `tell` is called whenever something has changed. */
export const nothing = tell => ({stored: 0, bytes: 0, refused: [], gaveUp: false, waiting: "", tell});

/** Store all documents of a stream of bytes, until `told.gaveUp`. Throws what ends it before, with `told` as it is then. */
export async function storeStream(stream, name, signal, told) {
  let json = null, batch = [], characters = 0;
  const flush = async () => {
    await storeAll(batch, signal, told);
    [batch, characters] = [[], 0];
  };
  for await (const each of linesOf(stream, signal)) {
    if (json === null) refuseWhole(each.line, name);
    json ??= isJson(each.line, name);
    told.bytes += new TextEncoder().encode(each.line).length + 1;
    try {
      batch.push(documentOf(each, json));
      characters += each.line.length;
    } catch (error) {
      refuse(told, each.number, error.message);
    }
    if (batch.length >= BATCH || characters >= BATCH_CHARACTERS) await flush();
    if (told.gaveUp) break;
  }
  await flush();
}

/** Store some documents. A call is all or nothing, so a document that is refused is left out of the next try. */
export async function storeAll(batch, signal, told) {
  let left = lastOfEachId(batch.map(withId));
  while (left.length) {
    const waiting = why => { told.waiting = why; told.tell(); };
    try {
      await patiently("POST", "v1/documents", {documents: left.map(each => each.document)}, signal, waiting);
      told.stored += left.length;
      left = [];
    } catch (error) {
      const place = Number(/^documents\.(\d+)/.exec(error.param ?? "")?.[1] ?? NaN);
      const tooMuch = error.status === 413 || OF_THE_CALL.includes(error.code);  // a smaller call may fit
      if (tooMuch && left.length > 1) {
        const half = left.length >> 1;
        await storeAll(left.slice(0, half), signal, told);
        left = left.slice(half);
      } else if (tooMuch) {
        refuse(told, left.pop().number, error.message);
      } else if ([400, 503].includes(error.status) && left[place]) {
        refuse(told, left[place].number, error.message);
        left = left.filter((_, other) => other !== place);
      } else throw error;
    }
    told.waiting = "";
    told.tell();
  }
}

/** Without an id of its own a document would be stored twice when its answer is lost, and the call sent again. */
function withId({number, document}) {
  return {number, document: {...document, id: document.id ?? newId()}};
}

/** As the api makes them. `crypto.randomUUID` is only there over HTTPS. */
const newId = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map(each => each.toString(16).padStart(2, "0")).join("");

/** A file may hold an id twice: as in the database, the later one counts. */
function lastOfEachId(batch) {
  return [...new Map(batch.map(each => [each.document.id, each])).values()];
}

function refuse(told, number, why) {
  told.refused.push({number, why});
  told.gaveUp ||= told.refused.length >= MOST_REFUSED;
}
