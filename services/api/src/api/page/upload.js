// Stores documents in batches, as fast as the service takes them: it says when to come again, and that is obeyed.

import {patiently} from "./api.js";
import {documentOf, isJson, linesOf} from "./lines.js";

const BATCH = 64;  // documents of one call
const BATCH_CHARACTERS = 256 * 1024;
const MOST_REFUSED = 20;  // bad lines after which a file is given up

const WHOLE = /^\s*[[{]\s*$/;  // the first line of JSON that is written over many lines

/** Thrown after `MOST_REFUSED` bad lines. */
export class TooManyRefused extends Error {}

/**
 * Store all documents of a stream of bytes.
 *
 * `tell({stored, bytes, refused, waiting})` is called whenever something has changed; `refused` are `{number, why}`.
 */
export async function storeStream(stream, signal, tell) {
  const told = {stored: 0, bytes: 0, refused: [], waiting: ""};
  let json = null, batch = [], characters = 0;
  const flush = async () => {
    await storeAll(batch, signal, told, tell);
    [batch, characters] = [[], 0];
  };
  for await (const each of linesOf(stream)) {
    json ??= isJson(each.line);
    if (!told.bytes && WHOLE.test(each.line)) throw new SyntaxError("it is one JSON value, not JSON Lines, which has a document a line");
    told.bytes += new TextEncoder().encode(each.line).length + 1;
    try {
      batch.push(documentOf(each, json));
    } catch (error) {
      refuse(told, each.number, error.message);
    }
    characters += each.line.length;
    if (batch.length >= BATCH || characters >= BATCH_CHARACTERS) await flush();
  }
  await flush();
  return told;
}

/** Store some documents. A call is all or nothing, so a document that is refused is left out of the next try. */
export async function storeAll(batch, signal, told, tell) {
  let left = lastOfEachId(batch);
  while (left.length) {
    const waiting = why => { told.waiting = why; tell(told); };
    try {
      await patiently("POST", "v1/documents", {documents: left.map(each => each.document)}, signal, waiting);
      told.stored += left.length;
      left = [];
    } catch (error) {
      const place = Number(/^documents\.(\d+)/.exec(error.param ?? "")?.[1] ?? NaN);
      if (error.status === 413 && left.length > 1) {
        const half = left.length >> 1;
        await storeAll(left.slice(0, half), signal, told, tell);
        left = left.slice(half);
      } else if (error.status === 413) {
        refuse(told, left.pop().number, error.message);
      } else if (error.status === 400 && left[place]) {
        refuse(told, left[place].number, error.message);
        left = left.filter((_, other) => other !== place);
      } else throw error;
    }
    told.waiting = "";
    tell(told);
  }
}

/** A file may hold an id twice: as in the database, the later one counts. */
function lastOfEachId(batch) {
  const last = new Map(batch.map((each, place) => [each.document.id ?? `line ${place}`, each]));
  return [...last.values()];
}

function refuse(told, number, why) {
  told.refused.push({number, why});
  if (told.refused.length >= MOST_REFUSED) throw new TooManyRefused(`${MOST_REFUSED} lines were refused: the rest was left`);
}
