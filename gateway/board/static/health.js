// The gateway's own health: three short words in the bar, and a line for each trouble.

import { h } from "./dom.js";
import { count, known } from "./format.js";

const MAX_LINES = 3;
const BACKLOG = 100000;

export function health(bar, alerts, clock) {
  return {
    update({ journal, sources, sinks }) {
      const up = (list) => list.filter((item) => item.state === "up").length;
      const lag = journal.lag_readings ?? Math.max(0, ...sinks.map((sink) => sink.lag_readings));
      bar.replaceChildren(
        badge("Sources", `${up(sources)}/${sources.length}`, up(sources) === sources.length),
        badge("Sinks", `${up(sinks)}/${sinks.length}`, up(sinks) === sinks.length),
        badge("Backlog", count(lag), lag <= BACKLOG),
      );
      show(alerts, [...troubles("Source", sources, clock), ...troubles("Sink", sinks, clock), ...fullness(journal)]);
    },
  };
}

function badge(name, text, good) {
  return h("li", { "data-good": String(good) }, `${name} `, h("strong", {}, text));
}

function troubles(kind, list, clock) {
  return list
    .filter((item) => item.state !== "up")
    .map(({ name, state, reason, since_ms: since }) => {
      const when = known(since) ? ` since ${clock.minute(since)}` : "";
      return `${kind} ${name} is ${state}${when}${reason ? `: ${reason}` : ""}`;
    });
}

function fullness({ bytes, max_bytes: most, blocked }) {
  const nearly = known(bytes) && most > 0 && bytes > 0.8 * most;
  return [
    ...(blocked ? [`The journal cannot be written: ${blocked}`] : []),
    ...(nearly ? [`The journal is ${Math.round((100 * bytes) / most)} % full`] : []),
  ];
}

function show(alerts, lines) {
  const more = lines.length > MAX_LINES ? [`… and ${lines.length - MAX_LINES} more`] : [];
  const shown = [...lines.slice(0, MAX_LINES), ...more];
  alerts.hidden = shown.length === 0;
  if (alerts.dataset.shown === shown.join("\n")) return;
  alerts.dataset.shown = shown.join("\n");
  alerts.replaceChildren(...shown.map((text) => h("li", {}, text)));
}
