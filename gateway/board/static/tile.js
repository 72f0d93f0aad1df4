// One machine's tile: state in colour and word, OEE and its factors, parts against target, energy and carbon.

import { bounds, whyOpen } from "./bounds.js";
import { h, put } from "./dom.js";
import { amount, count, known, lasting, range, room } from "./format.js";
import { ring } from "./ring.js";

const OLD_MS = 10000;
const FACTORS = [
  ["availability", "Availability"],
  ["effectiveness", "Performance"],
  ["quality_rate", "Quality"],
];
const METRICS = [
  ["kw", "kW now"],
  ["sec", "kWh / part"],
  ["carbon_intensity", "kg CO₂e / part"],
];

export function tile(words) {
  const name = h("h2", { class: "tile-name" });
  const place = h("span", { class: "tile-line" });
  const word = h("strong", { class: "tile-word" });
  const since = h("span", { class: "tile-since" });
  const oee = ring();
  const factors = FACTORS.map(([id, label]) => bar(id, label));
  const parts = partsOf();
  const metrics = METRICS.map(([id, label]) => metric(id, label));
  const element = h(
    "article",
    { class: "tile" },
    h("header", { class: "tile-head" }, h("div", {}, name, place), h("div", { class: "tile-state" }, word, since)),
    h(
      "div",
      { class: "tile-body" },
      oee.element,
      h("dl", { class: "factors" }, ...factors.map((item) => item.element)),
      parts.element,
      h("dl", { class: "metrics" }, ...metrics.map((item) => item.element)),
    ),
  );
  return {
    element,
    update(asset, now) {
      const stateWord = words[asset.class] ?? asset.class;
      element.dataset.class = asset.class;
      element.dataset.asset = asset.asset;
      element.setAttribute("aria-label", `${asset.asset}: ${stateWord}, OEE ${percent(asset.kpis.oee)}`);
      put(name, asset.asset);
      name.title = asset.asset;
      put(place, asset.line);
      put(word, stateWord);
      put(since, [asset.state, known(asset.since_ms) ? lasting(now - asset.since_ms) : ""].filter(Boolean).join(" · "));
      oee.update(asset.kpis, asset.reasons);
      factors.forEach((item) => item.update(asset));
      parts.update(asset);
      metrics.forEach((item) => item.update(asset));
    },
  };
}

function bar(id, label) {
  const value = h("dd", { class: "factor-value" });
  const level = h("span", { class: "factor-level" });
  const open = h("span", { class: "factor-open" });
  const levels = h("span", { class: "factor-bar" }, level, open);
  const element = h("div", { class: "factor", "data-factor": id }, h("dt", {}, label), value, levels);
  const share = (number) => 100 * Math.min(1, Math.max(0, number || 0));
  return {
    element,
    update(asset) {
      const [low, high] = bounds(id, asset.kpis);
      const text = range(asset.kpis[id], low, high);
      put(value, text, whyOpen(id, asset));
      value.dataset.room = room(text);
      const sure = share(known(low) ? low : asset.kpis[id]);
      level.style.width = `${sure}%`;
      open.style.width = `${share(high) - sure || 0}%`;
    },
  };
}

function partsOf() {
  const good = h("strong", { class: "parts-good" });
  const target = h("span", { class: "parts-target" });
  const unit = h("span", { class: "parts-unit" }, "parts");
  const note = h("span", { class: "parts-note" });
  const level = h("span", { class: "parts-level" });
  const meter = h("span", { class: "parts-bar" }, level);
  const figures = h("div", { class: "parts-figures" }, good, target, unit, note);
  const element = h("div", { class: "parts" }, figures, meter);
  return {
    element,
    update(asset) {
      const aim = known(asset.target) && asset.target > 0 ? asset.target : null;
      put(good, count(asset.good), known(asset.good) ? "" : (asset.reasons.good ?? "no count of good parts yet"));
      put(target, aim === null ? "good" : `/ ${count(aim)}`);
      put(note, known(asset.scrap) ? `${count(asset.scrap)} scrap` : "");
      meter.style.visibility = aim === null ? "hidden" : "";
      level.style.width = `${aim === null ? 0 : Math.min(100, (100 * (asset.good ?? 0)) / aim)}%`;
      element.dataset.long = String(good.textContent.length > 6 || target.textContent.length > 8);
      element.dataset.behind = String(aim !== null && (asset.good ?? 0) < 0.95 * aim);
    },
  };
}

function metric(id, label) {
  const value = h("dd", {});
  const element = h("div", { class: "metric", "data-metric": id }, h("dt", {}, label), value);
  return {
    element,
    update(asset) {
      const number = id === "kw" ? asset.kw : asset.kpis[id];
      put(value, amount(number), known(number) ? "" : (asset.reasons[id] ?? "not measured yet"));
    },
  };
}
