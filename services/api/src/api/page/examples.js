// What a first search can find: shown while there is no document.

import {addDocuments} from "./add.js";
import {make} from "./dom.js";
import {searchFor} from "./search.js";

const of = (id, kind, country, text) => ({id: `example-${id}`, text, metadata: {kind, country}});

const EXAMPLES = [
  of("etna", "mountain", "IT", "Mount Etna, on the east coast of Sicily, erupts often and lights the night above Catania."),
  of("fuji", "mountain", "JP", "Mount Fuji last erupted in 1707, and covered Edo with ash."),
  of("matterhorn", "mountain", "CH", "The Matterhorn was first climbed in 1865; four of the seven men fell on the way down."),
  of("po", "river", "IT", "The Po crosses the plain of northern Italy and flows into the Adriatic through a wide delta."),
  of("rhine", "river", "CH", "Below Schaffhausen the Rhine drops 23 metres over the largest waterfall of the Alps."),
  of("kamo", "river", "JP", "Along the Kamo in Kyoto, restaurants build wooden terraces above the water each summer."),
  of("ramen", "food", "JP", "A bowl of ramen: wheat noodles in a broth of pork bones, with an egg and sliced spring onions."),
  of("risotto", "food", "IT", "Risotto is stirred while the broth goes in by the ladle, so that the rice gives off its starch."),
  of("fondue", "food", "CH", "For fondue, cheese melts in white wine, and everyone dips bread into the same pot."),
  of("shinkansen", "transport", "JP", "Bullet trains between Tokyo and Osaka leave every few minutes and are seldom a minute late."),
  of("gotthard", "transport", "CH", "The Gotthard base tunnel takes trains 57 kilometres through the rock under the Alps."),
  of("vaporetto", "transport", "IT", "In Venice the bus is a boat: the vaporetto stops on both sides of the Grand Canal."),
];

/** An offer in the place of results: nothing is stored unasked. */
export function offer() {
  const load = make("button", {type: "button", class: "primary", onclick: async () => {
    if (await addDocuments(EXAMPLES)) await searchFor("a mountain that erupts");
  }}, `Add ${EXAMPLES.length} examples and search them`);
  return [make("li", {class: "offer"}, make("p", {}, "There are no documents to search yet."), load)];
}
