import { describe, expect, it } from "vitest";
import { averagePrice, gridOf, money, notional, plain, price, quantity, stepsIn } from "./exact";

const share = gridOf({ price_tick: "0.01", quantity_lot: "1", multiplier: "1" });
const bond = gridOf({ price_tick: "0.005", quantity_lot: "1", multiplier: "10" });
const coin = gridOf({ price_tick: "1", quantity_lot: "0.0001", multiplier: "1" });

describe("money", () => {
  it("is exact beyond what a number can hold", () => {
    expect(money("123456789012345678901234567890123456")).toBe("123,456,789,012,345,678.90");
  });
  it("rounds halves away from zero, and has no minus zero", () => {
    expect(money("1005000000000000000")).toBe("1.01");
    expect(money("-1005000000000000000")).toBe("\u22121.01");
    expect(money("-1")).toBe("0.00");
  });
  it("says the sign where that is asked", () => {
    expect(money("5000000000000000000", "USD", true)).toBe("+5.00");
  });
});

describe("prices and quantities", () => {
  it("have the decimals of their tick and lot", () => {
    expect(price(14216, share)).toBe("142.16");
    expect(price(19918, bond)).toBe("99.590");
    expect(price(96123, coin)).toBe("96,123");
    expect(quantity(12345, coin)).toBe("1.2345");
    expect(plain(123456789, share.tick)).toBe("1234567.89");
  });
  it("are counted back exactly, or not at all", () => {
    expect(stepsIn("99.59", bond.tick)).toBe(19918);
    expect(stepsIn("99.591", bond.tick)).toBeNull();
    expect(stepsIn("abc", bond.tick)).toBeNull();
  });
  it("make a notional with the multiplier in it", () => {
    expect(money(notional(19918, 3, bond))).toBe("2,987.70");
  });
  it("make an average price, of shorts too", () => {
    expect(averagePrice("-710800000000000000000", -5, share)).toBe("142.1600");
  });
});
