// OpenAI's client for JavaScript, which asks for base64 by itself.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none" });
const asked = JSON.parse(readFileSync(0, "utf8"));
const embed = async (input) => (await client.embeddings.create({ model, input })).data.map((item) => item.embedding);
process.stdout.write(JSON.stringify([await embed(asked.documents), (await embed(asked.query))[0]]));
