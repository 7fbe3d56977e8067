import { expect, test } from "vitest";
import { bollinger, ema, sma, vwap } from "./indicators";

const HOUR = 3_600_000_000_000n;
const bars = (closes: number[], volumes: number[] = [], from = 0n) =>
  closes.map((close, i) => ({ start_ns: String(from + BigInt(i) * HOUR), high: close + 1, low: close - 1, close, volume: volumes[i] ?? 1 }));

test("the simple mean is of the last closes, and none before there are so many", () => {
  expect(sma(bars([1, 2, 3, 7]), 3)).toEqual([null, null, 2, 4]);
  expect(sma([], 3)).toEqual([]);
});

test("the exponential mean begins with the simple one and goes half of the way at period three", () => {
  expect(ema(bars([1, 2, 3, 7, 7]), 3)).toEqual([null, null, 2, 4.5, 5.75]);
});

test("the day's price counts each candle by its volume", () => {
  expect(vwap(bars([10, 20, 30], [1, 3, 0]))).toEqual([10, 17.5, 17.5]);
});

test("the day's price is none before anything was traded, and begins anew at midnight UTC", () => {
  expect(vwap(bars([10, 20], [0, 2]))).toEqual([null, 20]);
  expect(vwap(bars([10, 40], [5, 5], 23n * HOUR))).toEqual([10, 40]);
});

test("bands are standard deviations of the last closes around their mean", () => {
  const { upper, lower } = bollinger(bars([2, 4, 6, 6]), 2, 2);
  expect(upper).toEqual([null, 5, 7, 6]);
  expect(lower).toEqual([null, 1, 3, 6]);
});
