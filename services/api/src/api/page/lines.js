// Documents out of text: JSON Lines, plain lines, or one whole text.

const LONGEST = 8 * 2 ** 20;  // characters of a line: the largest body that the api reads
const WORDS = "it is one JSON value, not JSON Lines, which has a document a line";
const LATIN = "it is no UTF-8 text: save it as UTF-8 first, or its letters would be lost";

/** The lines of a stream of bytes, without those that are empty, each with its number. Throws SyntaxError for other bytes than UTF-8. */
export async function* linesOf(stream, signal) {
  let rest = "", number = 0;
  const reader = stream.getReader(), decoder = new TextDecoder("utf-8", {fatal: true});
  try {
    for (;;) {
      const {done, value} = await reader.read();
      signal?.throwIfAborted();
      const text = decoded(decoder, value);
      if (!done && !text.includes("\n")) {  // to split it anew with each chunk took seconds
        if (rest.length <= LONGEST) rest += text;  // more isn't kept: it is refused as it is
        continue;
      }
      const lines = (rest + text).split(/\r?\n/);
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        number += 1;
        if (line.trim()) yield {line, number};
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});  // a file that can't be read any more
  }
}

function decoded(decoder, bytes) {
  try {
    return decoder.decode(bytes, {stream: Boolean(bytes)});
  } catch {
    throw new SyntaxError(LATIN);
  }
}

/** A document of one line. Throws SyntaxError for one that can't be stored as it is written. */
export function documentOf({line, number}, json) {
  if (line.length > LONGEST) throw new SyntaxError(`it has more than ${LONGEST} characters`);
  if (!json) return {number, document: {text: line.trim()}};
  const value = JSON.parse(line);
  if (typeof value === "string") return {number, document: {text: value}};
  if (typeof value?.text !== "string") throw new SyntaxError("it has no \"text\"");
  const {text} = value;
  const id = value.id ?? undefined, metadata = value.metadata ?? undefined;  // null is as absent, as for the api
  if (!["undefined", "string", "number"].includes(typeof id)) throw new SyntaxError("its \"id\" is neither text nor a number");
  exact({id, metadata});
  return {number, document: {id: id === undefined ? id : String(id), text, metadata}};
}

/** Throws SyntaxError for numbers that JavaScript has rounded: many ids would become one. */
function exact(value) {
  JSON.stringify(value, (name, each) => {
    if (typeof each !== "number" || Math.abs(each) <= Number.MAX_SAFE_INTEGER) return each;
    throw new SyntaxError(`"${name}" has a number above 2**53, which a browser rounds: write it as text, in quotes`);
  });
}

/** Whether a file's lines are JSON: by its name or, where that leaves it open, its first line. */
export function isJson(line, name = "") {
  if (/\.(txt|md|csv)$/i.test(name)) return false;
  return /\.(jsonl|ndjson|json)$/i.test(name) || /^\s*\{.*\}\s*$/s.test(line);
}

/** Throws SyntaxError where the first line says that one JSON value is written over all lines, or over this one. */
export function refuseWhole(line, name = "") {
  if (!/\.(txt|md|csv)$/i.test(name) && (/^\s*([[{]\s*$|\[\s*\{)/.test(line) || isArray(line))) throw new SyntaxError(WORDS);
}

function isArray(line) {
  try {
    return line.trimStart().startsWith("[") && Array.isArray(JSON.parse(line));
  } catch {
    return false;
  }
}

/** What was pasted, as a stream of lines or as one document. */
export function pasted(text, each) {
  const first = text.trim().split("\n", 1)[0];
  refuseWhole(first);
  if (each || isJson(first)) return {stream: new Blob([text]).stream()};
  return {documents: [{number: 1, document: {text}}]};
}
