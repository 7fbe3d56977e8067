import type { Candle } from "../api/types";

/** Indicators over candles, one value for each: null where there is not enough before it. Statistics to look at, no money. */
export type Values = (number | null)[];
export const INDICATORS = ["sma", "ema", "vwap", "bollinger"] as const;
export type Indicator = (typeof INDICATORS)[number];
export const PERIOD = 20;
export const BAND = 2;
const DAY_NS = 86_400_000_000_000n;

type Bar = Pick<Candle, "start_ns" | "high" | "low" | "close" | "volume">;

/** The mean of the last closes. */
export function sma(bars: readonly Bar[], period = PERIOD): Values {
  return windows(bars, period).map((closes) => closes && mean(closes));
}

/** Each close counts 2 / (period + 1), what was before the rest. It begins with the mean of the first closes. */
export function ema(bars: readonly Bar[], period = PERIOD): Values {
  const weight = 2 / (period + 1);
  let before: number | null = null;
  return windows(bars, period).map((closes, i) => {
    if (!closes) return null;
    before = before === null ? mean(closes) : before + weight * (bars[i]!.close - before);
    return before;
  });
}

/** The price of the UTC day so far, each trade counting by its size: of a candle, the middle of high, low and close. */
export function vwap(bars: readonly Bar[]): Values {
  let day: bigint | null = null;
  let worth = 0;
  let volume = 0;
  return bars.map((bar) => {
    const today = BigInt(bar.start_ns) / DAY_NS;
    if (today !== day) [day, worth, volume] = [today, 0, 0];
    worth += ((bar.high + bar.low + bar.close) / 3) * bar.volume;
    volume += bar.volume;
    return volume > 0 ? worth / volume : null;
  });
}

/** So many standard deviations of the last closes above and below their mean. */
export function bollinger(bars: readonly Bar[], period = PERIOD, band = BAND): { upper: Values; lower: Values } {
  const found = windows(bars, period).map((closes) => {
    if (!closes) return null;
    const middle = mean(closes);
    return { middle, width: band * Math.sqrt(mean(closes.map((each) => (each - middle) ** 2))) };
  });
  return { upper: found.map((each) => each && each.middle + each.width), lower: found.map((each) => each && each.middle - each.width) };
}

function windows(bars: readonly Bar[], period: number): (number[] | null)[] {
  return bars.map((_, i) => (i + 1 < period ? null : bars.slice(i + 1 - period, i + 1).map((each) => each.close)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}
