// Documents out of text: JSON Lines, plain lines, or one whole text.

/** The lines of a stream of bytes, without those that are empty, each with its number. */
export async function* linesOf(stream) {
  let rest = "", number = 0;
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const {done, value} = await reader.read();
    const lines = (rest + (value ?? "")).split(/\r?\n/);
    rest = done ? "" : lines.pop();
    for (const line of lines) {
      number += 1;
      if (line.trim()) yield {line, number};
    }
    if (done) return;
  }
}

/** A document of one line. Throws SyntaxError for a line of JSON that is none. */
export function documentOf({line, number}, json) {
  if (!json) return {number, document: {text: line.trim()}};
  const value = JSON.parse(line);
  if (typeof value === "string") return {number, document: {text: value}};
  if (typeof value?.text !== "string") throw new SyntaxError("it has no \"text\"");
  const {id, text, metadata} = value;
  return {number, document: {...(id === undefined ? {} : {id: String(id)}), text, ...(metadata ? {metadata} : {})}};
}

/** Whether the first line says that all are JSON. */
export const isJson = line => /^\s*(\{.*\}|".*")\s*$/s.test(line);

/** What was pasted, as a stream of lines or as one document. */
export function pasted(text, each) {
  const first = text.trim().split("\n", 1)[0];
  if (each || isJson(first)) return {stream: new Blob([text]).stream(), size: new Blob([text]).size};
  return {documents: [{number: 1, document: {text}}]};
}
