// One machine's tile: state in colour and word, OEE and its factors, parts against target, energy and carbon.

import { bounds, whyOpen } from "./bounds.js";
import { doubtOf, scoresOf } from "./doubt.js";
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
  ["energy", "kWh"],
  ["sec", "kWh / part"],
  ["co2e", "kg CO₂e"],
  ["carbon_intensity", "kg CO₂e / part"],
];
const PER_PART = new Set(["sec", "carbon_intensity"]);
const IN_ALL = new Set(["energy", "co2e"]);

export function tile(words, clock) {
  const name = h("h2", { class: "tile-name" });
  const place = h("span", { class: "tile-line" });
  const state = stateOf(words);
  const oee = ring();
  const factors = FACTORS.map(([id, label]) => bar(id, label));
  const factorList = h("dl", { class: "factors" }, ...factors.map((item) => item.element));
  const parts = partsOf();
  const metrics = METRICS.map(([id, label]) => metric(id, label, clock));
  const element = h(
    "article",
    { class: "tile" },
    h("header", { class: "tile-head" }, h("div", {}, name, place), state.element),
    h(
      "div",
      { class: "tile-body" },
      oee.element,
      factorList,
      parts.element,
      h("dl", { class: "metrics" }, ...metrics.map((item) => item.element)),
    ),
  );
  return {
    element,
    update(asset, now) {
      const shows = new Set(asset.shows);
      element.dataset.class = shows.has("state") ? asset.class : "";
      element.dataset.asset = asset.asset;
      element.dataset.shows = asset.shows.join(" ");
      put(name, asset.asset);
      name.title = asset.asset;
      const doubt = doubtOf(asset);
      put(place, [asset.line, doubt].filter(Boolean).join(" · "), doubt && scoresOf(asset));
      place.dataset.data = asset.status;
      state.update(asset, now, shows.has("state"));
      oee.element.hidden = !shows.has("oee");
      oee.update(asset);
      factors.forEach((item) => item.update(asset, shows));
      factorList.hidden = factors.every((item) => item.element.hidden);
      parts.element.hidden = !shows.has("parts");
      parts.update(asset);
      metrics.forEach((item) => item.update(asset, now, shows.has("good")));
      element.setAttribute("aria-label", [asset.asset, state.element.textContent, oee.text].filter(Boolean).join(", "));
    },
  };
}

function stateOf(words) {
  const word = h("strong", { class: "tile-word" });
  const since = h("span", { class: "tile-since" });
  return {
    element: h("div", { class: "tile-state" }, word, since),
    update(asset, now, shown) {
      const lasted = known(asset.since_ms) ? lasting(now - asset.since_ms) : "";
      put(word, shown ? (words[asset.class] ?? asset.class) : "");
      put(since, shown ? [asset.state, lasted].filter(Boolean).join(" · ") : "");
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
    update(asset, shows) {
      element.hidden = !shows.has(id);
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
  const main = h("strong", { class: "parts-good" });
  const target = h("span", { class: "parts-target" });
  const unit = h("span", { class: "parts-unit" }, "parts");
  const note = h("span", { class: "parts-note" });
  const level = h("span", { class: "parts-level" });
  const meter = h("span", { class: "parts-bar" }, level);
  const figures = h("div", { class: "parts-figures" }, main, target, unit, note);
  const element = h("div", { class: "parts" }, figures, meter);
  return {
    element,
    update(asset) {
      const counted = known(asset.good) ? asset.good : asset.total;
      const aim = known(asset.good) && asset.target > 0 ? asset.target : null;
      put(main, count(counted), known(counted) ? "" : (asset.reasons.good ?? "no part counted yet"));
      put(target, aim === null ? (known(asset.good) ? "good" : "") : `/ ${count(aim)}`);
      put(note, known(asset.scrap) ? `${count(asset.scrap)} scrap` : "");
      meter.style.visibility = aim === null ? "hidden" : "";
      level.style.width = `${aim === null ? 0 : Math.min(100, (100 * asset.good) / aim)}%`;
      element.dataset.long = String(main.textContent.length > 6 || target.textContent.length > 8);
      element.dataset.behind = String(aim !== null && asset.good < 0.95 * aim);
    },
  };
}

function metric(id, label, clock) {
  const value = h("dd", {});
  const term = h("dt", {}, label);
  const element = h("div", { class: "metric", "data-metric": id }, term, value);
  return {
    element,
    update(asset, now, perPart) {
      element.hidden = perPart ? IN_ALL.has(id) : PER_PART.has(id);
      const number = id === "kw" ? asset.kw : asset.kpis[id];
      const old = id === "kw" && known(asset.kw_ms) && now - asset.kw_ms > OLD_MS;
      const read = old ? `no newer reading since ${clock.second(asset.kw_ms)}` : "";
      put(value, amount(number), known(number) ? read : (asset.reasons[id] ?? (read || "not measured yet")));
      value.classList.toggle("is-old", old && known(number));
      if (IN_ALL.has(id) && known(asset.window_from_ms)) put(term, `${label} since ${clock.minute(asset.window_from_ms)}`);
    },
  };
}
