// Small helpers for the page. Text from the plant only ever enters as text, never as markup.

import { UNKNOWN } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text nodes. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Sets a text; a reason makes it ask for a tap or a pointer, which tell why. */
export function put(element, text, why = "") {
  if (element.textContent !== text) element.textContent = text;
  else if ((element.dataset.why ?? "") === why) return;
  if (why) {
    element.dataset.why = why;
    element.title = why;
    element.tabIndex = 0;
    element.setAttribute("role", "button");
    element.setAttribute("aria-label", `${text === UNKNOWN ? "unknown" : text}: ${why}`);
  } else {
    delete element.dataset.why;
    for (const name of ["title", "tabindex", "role", "aria-label"]) element.removeAttribute(name);
  }
}

/** Shows the reason of whatever was tapped, until the next tap. */
export function tellWhy(note) {
  const show = (event) => {
    const why = event.target.closest?.("[data-why]")?.dataset.why;
    note.textContent = why ?? "";
    note.hidden = !why;
  };
  document.addEventListener("click", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") show(event);
    if (event.key === "Escape") note.hidden = true;
  });
}
