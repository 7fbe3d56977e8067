import { useQuery } from "@tanstack/react-query";
import {
  CandlestickSeries, ColorType, createChart, createSeriesMarkers, HistogramSeries, LineSeries,
  type IChartApi, type ISeriesApi, type ISeriesMarkersPluginApi, type Time, type UTCTimestamp,
} from "lightweight-charts";
import { useEffect, useRef, useState } from "react";
import { get } from "../api/client";
import type { Candle } from "../api/types";
import { priceNumber } from "../money/exact";
import { useSlowView, useView } from "../stream/store";
import { midOf } from "../stream/view";
import { Choice, Empty } from "../ui/pieces";
import { prefer, usePreferences } from "../ui/preferences";
import type { Listed } from "../ui/session";
import { bollinger, ema, INDICATORS, PERIOD, sma, vwap, type Indicator, type Values } from "./indicators";
import { useWorkingLines } from "./workingLines";

const INTERVALS = [["10", "10s"], ["60", "1m"], ["300", "5m"], ["3600", "1h"]] as const;
type Interval = (typeof INTERVALS)[number][0];
const MARKERS_MAX = 200;

interface Drawn {
  chart: IChartApi;
  candles: ISeriesApi<"Candlestick">;
  volume: ISeriesApi<"Histogram">;
  markers: ISeriesMarkersPluginApi<Time>;
  alive: boolean;
}

export default function PriceChart(props: { shown: Listed }) {
  const { shown } = props;
  const [interval, setInterval] = useState<Interval>("60");
  const box = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  const { theme, palette, indicators } = usePreferences();
  const candles = useQuery({
    queryKey: ["candles", shown.instrument_id, interval],
    queryFn: () => get<Candle[]>(`/market/candles?interval_s=${interval}&instrument=${encodeURIComponent(shown.instrument_id)}`),
    refetchInterval: 5_000,
  });
  useEffect(() => {
    if (!box.current) return undefined;
    const made = make(box.current, shown);
    setDrawn(made);
    return () => {
      made.alive = false;
      made.chart.remove();
      setDrawn(null);
    };
  }, [shown, theme, palette]);
  useCandles(drawn, candles.data, interval, shown);
  useIndicators(drawn, candles.data, indicators);
  useWorkingLines(drawn, box, shown, token);
  useFills(drawn, shown, Number(interval), candles.data);
  return (
    <div className="chart">
      <div className="chart-tools">
        <div className="tight-choice">
          <Choice label="Interval" value={interval} onChange={setInterval} options={INTERVALS} tone="tight" />
          <Chosen indicators={indicators} />
          <span className="faint">UTC</span>
        </div>
      </div>
      {candles.data?.length === 0 && <Empty>No candles yet: the first ends within {interval} seconds.</Empty>}
      <div ref={box} className="chart-box" role="img" aria-label={`Candles of ${shown.name}`} />
    </div>
  );
}

const DRAWN: Record<Indicator, { text: string; about: string; token: string; of: (bars: Candle[]) => Values[] }> = {
  sma: { text: "SMA", about: `Mean of ${PERIOD} closes`, token: "--accent", of: (bars) => [sma(bars)] },
  ema: { text: "EMA", about: `Exponential mean of ${PERIOD} closes`, token: "--warn", of: (bars) => [ema(bars)] },
  vwap: { text: "VWAP", about: "Volume-weighted price of the UTC day", token: "--world", of: (bars) => [vwap(bars)] },
  bollinger: { text: "Bands", about: `Bollinger bands: two deviations around the mean of ${PERIOD} closes`, token: "--muted", of: (bars) => Object.values(bollinger(bars)) },
};

function Chosen(props: { indicators: readonly Indicator[] }) {
  const turn = (name: Indicator) => prefer({ indicators: INDICATORS.filter((each) => (each === name) !== props.indicators.includes(each)) });
  return (
    <div className="choice tight" role="group" aria-label="Indicators">
      {INDICATORS.map((each) => (
        <button key={each} type="button" aria-pressed={props.indicators.includes(each)} title={DRAWN[each].about} style={props.indicators.includes(each) ? { color: `var(${DRAWN[each].token})` } : undefined} onClick={() => turn(each)}>
          {DRAWN[each].text}
        </button>
      ))}
    </div>
  );
}

function useIndicators(drawn: Drawn | null, data: Candle[] | undefined, indicators: readonly Indicator[]): void {
  const series = useRef<ISeriesApi<"Line">[]>([]);
  useEffect(() => {
    if (!drawn) return undefined;
    series.current = indicators.flatMap((name) => {
      const options = { color: token(DRAWN[name].token), lineWidth: 1 as const, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false, autoscaleInfoProvider: () => null }; // The candles say what is in sight
      return DRAWN[name].of([]).map(() => drawn.chart.addSeries(LineSeries, options));
    });
    return () => {
      // With the chart they were drawn on they are gone already
      for (const each of series.current) if (drawn.alive) drawn.chart.removeSeries(each);
      series.current = [];
    };
  }, [drawn, indicators]);
  useEffect(() => {
    if (!drawn || !data) return;
    const found = indicators.flatMap((name) => DRAWN[name].of(data));
    found.forEach((values, i) => series.current[i]?.setData(data.map((each, j) => {
      const value = values[j];
      return value == null ? { time: at(each.start_ns) } : { time: at(each.start_ns), value };
    })));
  }, [drawn, data, indicators]);
}

/** A colour of the theme, as it is now. */
const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function make(box: HTMLElement, shown: Listed): Drawn {
  const chart = createChart(box, {
    autoSize: true,
    layout: { background: { type: ColorType.Solid, color: token("--s1") }, textColor: token("--muted"), fontSize: 11, fontFamily: "inherit", attributionLogo: true },
    grid: { vertLines: { color: token("--s2") }, horzLines: { color: token("--s2") } },
    localization: { timeFormatter: (time: Time) => `${new Date(Number(time) * 1_000).toISOString().slice(0, 19).replace("T", " ")} UTC` },
    rightPriceScale: { borderColor: token("--line") },
    timeScale: { borderColor: token("--line"), timeVisible: true, secondsVisible: true, rightOffset: 4, barSpacing: 9 },
  });
  const decimals = shown.grid.tick.decimals;
  const candles = chart.addSeries(CandlestickSeries, {
    upColor: token("--up"), downColor: token("--down"), borderVisible: false, wickUpColor: token("--up"), wickDownColor: token("--down"),
    priceFormat: { type: "price", precision: decimals, minMove: priceNumber(1, shown.grid) },
  });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
  return { chart, candles, volume, markers: createSeriesMarkers(candles, []), alive: true };
}

const at = (ns: string): UTCTimestamp => Number(BigInt(ns) / 1_000_000_000n) as UTCTimestamp;

function useCandles(drawn: Drawn | null, data: Candle[] | undefined, interval: string, shown: Listed): void {
  const fitted = useRef("");
  useEffect(() => {
    if (!drawn || !data) return;
    drawn.candles.setData(data.map((each) => ({ time: at(each.start_ns), open: each.open, high: each.high, low: each.low, close: each.close })));
    drawn.volume.setData(data.map((each) => ({ time: at(each.start_ns), value: each.volume, color: token(each.close >= each.open ? "--up-flash" : "--down-flash") })));
    if (fitted.current !== interval) {
      fitted.current = interval;
      drawn.chart.timeScale().scrollToRealTime();
    }
  }, [drawn, data, interval]);
  // The last candle burns with every quote; what it began with comes from the server
  const quote = useView((view) => view.quotes[shown.instrument_id]);
  const burning = useRef<{ time: UTCTimestamp; high: number; low: number } | null>(null);
  useEffect(() => {
    const last = data?.at(-1);
    if (!drawn || !last || !quote) return;
    const ticks = quote.last_ticks ?? midOf(quote);
    if (ticks === null) return;
    const now = priceNumber(ticks, shown.grid);
    const time = at(last.start_ns);
    const known = burning.current?.time === time ? burning.current : { time, high: last.high, low: last.low };
    burning.current = { time, high: Math.max(known.high, last.high, now), low: Math.min(known.low, last.low, now) };
    drawn.candles.update({ time, open: last.open, high: burning.current.high, low: burning.current.low, close: now });
  }, [drawn, data, quote, shown]);
}

/** Own fills as markers. */
function useFills(drawn: Drawn | null, shown: Listed, seconds: number, data: Candle[] | undefined): void {
  const fills = useSlowView((view) => view.fills);
  const from = data?.[0]?.start_ns;
  useEffect(() => {
    if (!drawn || !from) return;
    const start = at(from);
    const mine = fills.filter((each) => each.instrument_id === shown.instrument_id && at(each.venue_time_ns) >= start).slice(-MARKERS_MAX);
    // One mark for each candle and side, with what was traded in it: hundreds of fills are no picture
    const marks = new Map<string, { time: UTCTimestamp; side: string; lots: number }>();
    for (const each of mine) {
      const time = (Math.floor(at(each.venue_time_ns) / seconds) * seconds) as UTCTimestamp;
      const mark = marks.get(`${time}${each.side}`) ?? { time, side: each.side, lots: 0 };
      mark.lots += each.quantity_lots;
      marks.set(`${time}${each.side}`, mark);
    }
    drawn.markers.setMarkers(
      [...marks.values()]
        .sort((a, b) => a.time - b.time)
        .map((each) => ({
          time: each.time, position: each.side === "buy" ? "belowBar" : "aboveBar", shape: each.side === "buy" ? "arrowUp" : "arrowDown",
          color: token(each.side === "buy" ? "--up" : "--down"), size: 0.7,
        })),
    );
  }, [drawn, fills, shown, seconds, from]);
}
