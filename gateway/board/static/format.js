// Numbers and times as people read them: the site's zone, one dash for what is not known.

export const UNKNOWN = "–";
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const huge = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const tiny = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const count = (value) => (known(value) ? (value < 1e6 ? grouped : huge).format(value) : UNKNOWN);
export const amount = (value) => (known(value) ? digitsFor(Math.abs(value)).format(value) : UNKNOWN);
const digitsFor = (size) => (size >= 1000 ? grouped : size >= 0.01 ? short : tiny);
export const percent = (value) => (known(value) ? `${Math.round(value * 100)} %` : UNKNOWN);

/** "62–71 %" where unknown time leaves both possible, else one number. */
export function range(value, low, high) {
  if (!known(low) || !known(high) || Math.round(low * 100) === Math.round(high * 100)) return percent(value);
  return `${Math.round(low * 100)}–${Math.round(high * 100)} %`;
}

/** "45 s", "14 min", "3 h 05". */
export function lasting(ms) {
  const minutes = Math.floor(ms / 60000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${String(minutes % 60).padStart(2, "0")}` : `${Math.floor(hours / 24)} d`;
}

/** Times in the site's zone. */
export function clockOf(timeZone) {
  const make = (options) => new Intl.DateTimeFormat("en-GB", { timeZone, hourCycle: "h23", ...options });
  const minute = make({ hour: "2-digit", minute: "2-digit" });
  const second = make({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return { minute: (ms) => minute.format(ms), second: (ms) => second.format(ms) };
}
