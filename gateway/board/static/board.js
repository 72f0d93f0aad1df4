// The page: connects the stream of snapshots to tiles, timeline, energy and health.

import { h, put, tellWhy } from "./dom.js";
import { doubtOf, scoresOf } from "./doubt.js";
import { energy } from "./energy.js";
import { amount, clockOf, known, range } from "./format.js";
import { health } from "./health.js";
import { live } from "./live.js";
import { tile } from "./tile.js";
import { timeline } from "./timeline.js";

const REFRESH_MS = 10000;
const RETRY_MS = 3000;
const at = (id) => document.getElementById(id);

async function siteInfo() {
  for (;;) {
    const answer = await fetch("/api/v1/site").catch(() => null);
    if (answer?.ok) return answer.json();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function tilesIn(container, words, clock) {
  const tiles = new Map();
  return (assets, now) => {
    const names = new Set(assets.map(({ asset }) => asset));
    for (const [name, { element }] of tiles) {
      if (names.has(name)) continue;
      element.remove();
      tiles.delete(name);
    }
    for (const asset of assets) {
      if (!tiles.has(asset.asset)) {
        tiles.set(asset.asset, tile(words, clock));
        container.append(tiles.get(asset.asset).element);
      }
      tiles.get(asset.asset).update(asset, now);
    }
    const columns = assets.length <= 4 ? assets.length : Math.ceil(assets.length / Math.ceil(assets.length / 4));
    container.style.setProperty("--columns", Math.max(1, columns));
    container.dataset.rows = Math.ceil(assets.length / Math.max(1, columns));
  };
}

function showLines(container, lines) {
  container.replaceChildren(
    ...lines.map((one) => {
      const { line, kpis, reasons } = one;
      const parts = reasons.oee?.startsWith("needs") ? [] : [`OEE ${range(kpis.oee, kpis.oee_low, kpis.oee_high)}`];
      if (known(kpis.energy)) parts.push(`${amount(kpis.energy)} kWh`);
      if (doubtOf(one)) parts.push(doubtOf(one));
      return h("li", doubtOf(one) ? { title: scoresOf(one) } : {}, h("strong", {}, line), ` ${parts.join(" · ")}`);
    }),
  );
}

/** "shift day since 06:00", where all machines agree. */
function windowOf(assets, clock) {
  const windows = new Set(
    assets.map(({ window, window_from_ms: from }) => (known(from) ? `${window} since ${clock.minute(from)}` : window)),
  );
  return windows.size === 1 ? [...windows][0] : "";
}

function silence(site, clock, newest) {
  if (!newest) return site.standalone ? "No stored numbers yet" : "Waiting for the first numbers from the gateway";
  if (site.standalone) return `Stored numbers up to ${clock.second(newest)}: no gateway feeds this board`;
  return `No contact with the gateway since ${clock.second(newest)}`;
}

async function start() {
  const site = await siteInfo();
  const clock = clockOf(site.timezone);
  document.title = `${site.site} · Lineside`;
  put(at("site"), site.site);
  tellWhy(at("why"));

  const showTiles = tilesIn(at("tiles"), site.words, clock);
  const states = timeline(at("timeline"), at("legend"), site.words, clock);
  const bars = energy(at("energy"));
  const vitals = health(at("health"), at("alerts"), clock);
  let newest = 0;
  let refreshAt = 0;

  async function refresh() {
    const answer = await fetch("/api/v1/figures/timeline").catch(() => null);
    if (answer?.ok) {
      const timeline = await answer.json();
      at("states").hidden = timeline.rows.length === 0;
      refreshAt = performance.now() + states.show(timeline);
    }
    await bars.refresh();
  }

  function onSnapshot(snapshot) {
    newest = snapshot.time_ms;
    put(at("clock"), clock.minute(newest));
    put(at("window"), windowOf(snapshot.assets, clock));
    showTiles(snapshot.assets, newest);
    showLines(at("lines"), snapshot.lines);
    vitals.update(snapshot.health);
    states.extend(snapshot.assets);
    if (performance.now() < refreshAt) return;
    refreshAt = performance.now() + REFRESH_MS;
    refresh().catch((problem) => console.warn(problem.message));
  }

  function onContact(contact) {
    const fresh = contact && !site.standalone;
    document.body.classList.toggle("is-stale", !contact);
    at("banner").hidden = fresh;
    put(at("banner"), fresh ? "" : silence(site, clock, newest));
  }

  live("/api/v1/live", onSnapshot, onContact);
}

start();
