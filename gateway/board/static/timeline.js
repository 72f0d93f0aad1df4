// States over the shift: a row per machine. Stored states are fetched now and then, the newest come with each snapshot.

import { h } from "./dom.js";
import { lasting } from "./format.js";

const REFRESH_MS = [5000, 60000]; // a short timeline moves fast
const EMPTY_MS = 1500;
const SHORTEST_MS = 120000;
const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480];
const TICK_EM = 4.2;

export function timeline(container, legend, words, clock) {
  const axis = h("div", { class: "axis", "aria-hidden": "true" });
  const rows = new Map();
  const seen = new Set();
  let span = null;

  const percentOf = (ms) => (100 * (ms - span.from)) / (span.to - span.from);

  function piece([from, to, name]) {
    const start = Math.max(from, span.from);
    const title = `${words[name] ?? name} ${clock.minute(from)}–${clock.minute(to)} (${lasting(to - from)})`;
    const element = h("span", { class: "span", "data-class": name, title });
    element.style.left = `${percentOf(start)}%`;
    // one pixel more: neighbours touch whatever the rounding
    element.style.width = `calc(${percentOf(Math.min(to, span.to)) - percentOf(start)}% + 1px)`;
    seen.add(name);
    return element;
  }

  function rowOf(asset) {
    if (!rows.has(asset)) {
      const stored = h("div", { class: "layer" });
      const recent = h("div", { class: "layer" });
      const track = h("div", { class: "track", role: "img" }, stored, recent);
      const element = h("div", { class: "row" }, h("span", { class: "row-name" }, asset), track);
      rows.set(asset, { element, track, stored, recent });
    }
    return rows.get(asset);
  }

  function drawAxis() {
    const minutes = (span.to - span.from) / 60000;
    const room = Math.max(2, axis.clientWidth / (TICK_EM * parseFloat(getComputedStyle(axis).fontSize)));
    const step = STEPS_MIN.find((size) => minutes / size <= room) ?? 1440;
    const [hour, minute] = clock.minute(span.from).split(":").map(Number);
    const first = span.from + ((step - ((hour * 60 + minute) % step)) % step) * 60000;
    const ticks = [];
    for (let at = first - (first % 60000); at < span.to; at += step * 60000) {
      const tick = h("span", { class: "tick" }, clock.minute(at));
      tick.style.left = `${percentOf(at)}%`;
      if (at >= span.from && percentOf(at) < 98) ticks.push(tick);
    }
    axis.replaceChildren(...ticks);
  }

  function drawLegend() {
    const names = Object.keys(words).filter((name) => seen.has(name));
    if (legend.children.length === names.length) return;
    legend.replaceChildren(...names.map((name) => h("li", { "data-class": name }, words[name])));
  }

  return {
    /** Draws the stored states; returns the ms after which to ask for them again. */
    show(answer) {
      const nothing = answer.rows.length > 0 && answer.rows.every(({ segments }) => segments.length === 0);
      const steady = Math.min(REFRESH_MS[1], Math.max(REFRESH_MS[0], (answer.to_ms - answer.from_ms) / 30));
      const wait = nothing ? EMPTY_MS : steady;
      // room at the right for what arrives until then
      span = { from: answer.from_ms, to: Math.max(answer.from_ms + SHORTEST_MS, answer.to_ms + 1.25 * wait) };
      for (const { asset, segments } of answer.rows) {
        const row = rowOf(asset);
        row.stored.replaceChildren(...segments.map(piece));
        row.track.setAttribute("aria-label", `${asset}: ${summary(segments, words)}`);
      }
      container.replaceChildren(...answer.rows.map(({ asset }) => rowOf(asset).element), axis);
      drawAxis();
      drawLegend();
      return wait;
    },
    /** Draws the states that a snapshot brings over the stored ones. */
    extend(assets) {
      if (!span) return;
      for (const { asset, segments } of assets) {
        rows.get(asset)?.recent.replaceChildren(...segments.filter(([, to]) => to > span.from).map(piece));
      }
      drawLegend();
    },
  };
}

function summary(segments, words) {
  const share = {};
  for (const [from, to, name] of segments) share[name] = (share[name] ?? 0) + to - from;
  const parts = Object.entries(share).sort((a, b) => b[1] - a[1]);
  return parts.map(([name, ms]) => `${words[name] ?? name} ${lasting(ms)}`).join(", ") || "nothing known yet";
}
