// Numbers and times as people read them: the site's zone, one dash for what is not known.

export const UNKNOWN = "–";
const decimals = (digits) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });
const grouped = new Intl.NumberFormat("en", decimals(0));
const huge = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const tiny = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
// as many decimals whatever the last digits are: 0.0060 beside 0.0115
const SCALES = [[100, 0], [10, 1], [1, 2], [0.1, 3], [0.001, 4]].map(([from, digits]) => [
  from - 0.5 * 10 ** -digits,
  new Intl.NumberFormat("en", decimals(digits)),
]);

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const count = (value) => (known(value) ? (value < 1e6 ? grouped : huge).format(value) : UNKNOWN);
export const amount = (value) => (known(value) ? formatFor(Math.abs(value)).format(value) : UNKNOWN);
const formatFor = (size) => (size === 0 ? grouped : (SCALES.find(([from]) => size >= from)?.[1] ?? tiny));
export const percent = (value) => (known(value) ? `${Math.round(value * 100)} %` : UNKNOWN);

/** "62–71 %" where unknown time leaves both possible, else one number. */
export function range(value, low, high) {
  return isRange(low, high) ? `${Math.round(low * 100)}–${percent(high)}` : percent(value);
}

/** Whether the bounds differ by what is shown. */
export const isRange = (low, high) => known(low) && known(high) && Math.round(low * 100) !== Math.round(high * 100);

/** How much room a share needs: "short" for "71 %", "wide" for "62–71 %", "widest" for "62–100 %". */
export const room = (text) => (text.length > 7 ? "widest" : text.length > 5 ? "wide" : "short");

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
