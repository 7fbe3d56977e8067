/** Exact decimals: text and BigInt alone, as a browser's numbers end at 2^53. */

export const UNIT_DECIMALS = 18;
const DECIMALS: Record<string, number> = { USD: 2, EUR: 2, GBP: 2, CHF: 2, NOK: 2, JPY: 0 };

export interface Decimal {
  units: bigint;
  decimals: number;
}

export function decimal(text: string): Decimal {
  const [whole = "0", fraction = ""] = text.split(".");
  return { units: BigInt(whole + fraction), decimals: fraction.length };
}

export function currencyDecimals(currency: string): number {
  return DECIMALS[currency] ?? 2;
}

/** Print units of 10^-decimals with `places` digits after the point; halves go away from zero. */
export function print(units: bigint, decimals: number, places: number, sign = false): string {
  const negative = units < 0n;
  let size = negative ? -units : units;
  if (decimals > places) {
    const cut = 10n ** BigInt(decimals - places);
    size = (size + cut / 2n) / cut;
  } else {
    size *= 10n ** BigInt(places - decimals);
  }
  const digits = size.toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const fraction = places ? `.${digits.slice(digits.length - places)}` : "";
  const mark = size === 0n ? "" : negative ? "\u2212" : sign ? "+" : "";
  return mark + whole.replace(/\B(?=(\d{3})+$)/g, ",") + fraction;
}

export function money(units: string | bigint, currency = "USD", sign = false): string {
  return print(BigInt(units), UNIT_DECIMALS, currencyDecimals(currency), sign);
}

/** For drawing only. */
export function rough(units: string | bigint): number {
  return Number(BigInt(units) / 10n ** 12n) / 1e6;
}

export function signOf(units: string | bigint | number): -1 | 0 | 1 {
  const value = typeof units === "string" ? BigInt(units) : units;
  return value > 0 ? 1 : value < 0 ? -1 : 0;
}

export interface Grid {
  tick: Decimal;
  lot: Decimal;
  multiplier: Decimal;
}

export function gridOf(given: { price_tick: string; quantity_lot: string; multiplier: string }): Grid {
  return { tick: decimal(given.price_tick), lot: decimal(given.quantity_lot), multiplier: decimal(given.multiplier) };
}

export function price(ticks: number, grid: Grid): string {
  return print(BigInt(ticks) * grid.tick.units, grid.tick.decimals, grid.tick.decimals);
}

export function quantity(lots: number, grid: Grid, sign = false): string {
  return print(BigInt(lots) * grid.lot.units, grid.lot.decimals, grid.lot.decimals, sign);
}

/** As the server reads it: no separators, a plain minus. */
export function plain(count: number, step: Decimal): string {
  return print(BigInt(count) * step.units, step.decimals, step.decimals).replaceAll(",", "").replace("\u2212", "-");
}

export function priceNumber(ticks: number, grid: Grid): number {
  return (ticks * Number(grid.tick.units)) / 10 ** grid.tick.decimals;
}

/** How many steps a decimal text is, or null where it is none. */
export function stepsIn(text: string, step: Decimal): number | null {
  if (!/^\d+(\.\d+)?$/.test(text)) return null;
  const given = decimal(text);
  const places = Math.max(given.decimals, step.decimals);
  const scaled = given.units * 10n ** BigInt(places - given.decimals);
  const one = step.units * 10n ** BigInt(places - step.decimals);
  return one > 0n && scaled % one === 0n ? Number(scaled / one) : null;
}

/** Price times quantity times multiplier, in 1e-18 of the currency. */
export function notional(ticks: number, lots: number, grid: Grid): bigint {
  const decimals = grid.tick.decimals + grid.lot.decimals + grid.multiplier.decimals;
  const worth = BigInt(ticks) * grid.tick.units * BigInt(lots) * grid.lot.units * grid.multiplier.units;
  return (worth * 10n ** BigInt(UNIT_DECIMALS)) / 10n ** BigInt(decimals);
}

/** What one whole unit costs on average: cost over lots, on the tick's decimals plus two. */
export function averagePrice(costUnits: string, lots: number, grid: Grid): string {
  if (!lots) return "";
  const places = grid.tick.decimals + 2;
  const below = BigInt(lots) * grid.lot.units * grid.multiplier.units;
  const shift = 10n ** BigInt(grid.lot.decimals + grid.multiplier.decimals);
  return print((BigInt(costUnits) * shift) / below, UNIT_DECIMALS, places);
}
