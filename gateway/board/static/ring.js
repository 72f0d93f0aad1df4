// The OEE ring: what is sure as a solid arc, what unknown time leaves open as a pale one.

import { bounds, whyOpen } from "./bounds.js";
import { h, put, svg } from "./dom.js";
import { known, range, room } from "./format.js";

const circle = (kind) => svg("circle", { class: kind, cx: 60, cy: 60, r: 53, pathLength: 100 });
const share = (value) => Math.min(1, Math.max(0, value)) * 100;

export function ring() {
  const solid = circle("ring-value");
  const open = circle("ring-open");
  const picture = svg("svg", { viewBox: "0 0 120 120", "aria-hidden": "true" }, circle("ring-track"), open, solid);
  const number = h("strong", { class: "ring-number" });
  const element = h("div", { class: "ring" }, picture, h("div", { class: "ring-text" }, number, h("span", {}, "OEE")));

  const arc = (node, from, to) => {
    node.setAttribute("stroke-dasharray", `${share(to) - share(from)} 200`);
    node.setAttribute("stroke-dashoffset", `${-share(from)}`);
    node.style.display = to > from ? "" : "none";
  };
  return {
    element,
    get text() {
      return element.hidden ? "" : `OEE ${number.textContent}`;
    },
    update(asset) {
      const { oee } = asset.kpis;
      const [low, high] = bounds("oee", asset.kpis);
      const bounded = known(low) && known(high);
      arc(solid, 0, bounded ? low : known(oee) ? oee : 0);
      arc(open, bounded ? low : 0, bounded ? high : 0);
      const text = range(oee, low, high);
      put(number, text, whyOpen("oee", asset));
      number.dataset.room = room(text);
    },
  };
}
