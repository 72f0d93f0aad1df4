// What unknown time leaves open: both bounds of a share, and what they mean.

import { isRange, known, percent } from "./format.js";

const MEANING = {
  oee: (low, high) => `${low} if the machine stood still meanwhile, ${high} if it ran at its ideal speed.`,
  availability: (low, high) => `${low} if the machine stood still meanwhile, ${high} if it ran.`,
  effectiveness: (low, high) =>
    `The parts made meanwhile count, the time does not: ${high} if the machine stood still all the while, ${low} if it ran.`,
};

/** Low and high of an OEE factor or of OEE itself; the same number twice, or nothing, where nothing is open. */
export function bounds(id, kpis) {
  return [kpis[`${id}_low`], kpis[`${id}_high`]];
}

/** Why a share is a range, or why there is none. */
export function whyOpen(id, { kpis, reasons }) {
  const [low, high] = bounds(id, kpis);
  if (!isRange(low, high)) return known(kpis[id]) ? "" : (reasons[id] ?? "not known yet");
  const unknown = known(kpis.coverage) ? `${percent(1 - kpis.coverage)} of the planned time` : "Part of the planned time";
  return `${unknown} is unknown. ${MEANING[id]?.(percent(low), percent(high)) ?? ""}`;
}
