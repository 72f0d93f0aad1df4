// What the board says where the data behind the numbers are not good.

import { percent } from "./format.js";

const SCORES = { data_accurate: "accurate", data_sufficient: "sufficient", data_clean: "clean", data_live: "live" };

/** "data uncertain", "data bad", or nothing. */
export function doubtOf({ status }) {
  return status && status !== "good" ? `data ${status}` : "";
}

/** The four scores in words, the least first. */
export function scoresOf({ scores }) {
  const found = Object.entries(scores).sort(([, a], [, b]) => a - b);
  return found.map(([id, score]) => `${SCORES[id] ?? id} ${percent(score)}`).join(", ");
}
