// Makes elements. Text is always text: nothing here, and nothing that uses it, reads HTML.

export const element = id => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter(each => each !== null && each !== undefined && each !== false));
  return node;
}

/** `make("button", {class: "chip", onclick: …}, "text", child)` */
export const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** Sizes are set by script: the page's policy allows no style in an attribute. */
export function sized(node, properties) {
  for (const [name, value] of Object.entries(properties)) node.style.setProperty(name, value);
  return node;
}

/** Write only what is new: a screen reader says a status again when it is written again. */
export function say(id, text, kind = "") {
  const node = element(id);
  if (node.textContent !== text) node.textContent = text;
  node.dataset.kind = kind;
}

/** What has changed is replaced; what has the focus, and is the same, keeps it. */
export function put(parent, children) {
  const before = [...parent.children];
  children.forEach((child, place) => {
    if (!before[place]) parent.append(child);
    else if (!before[place].isEqualNode(child)) before[place].replaceWith(child);
  });
  for (const left of before.slice(children.length)) left.remove();
}

/** The beginning of a long text, of whole characters as people see them: an emoji can be many of JavaScript's. */
export const cut = (text, most) =>
  text.length > most ? `${text.slice(0, new Intl.Segmenter().segment(text).containing(most).index)} …` : text;

export const number = (value, digits = 0) =>
  value.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits});
