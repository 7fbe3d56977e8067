/** Times as a desk writes them: UTC, to the second. */

export function clock(ns: string | bigint, millis = false): string {
  const text = new Date(Number(BigInt(ns) / 1_000_000n)).toISOString();
  return text.slice(11, millis ? 23 : 19);
}

export function stamp(ns: string | bigint): string {
  return new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().slice(0, 19).replace("T", " ");
}

export function day(ns: string | bigint): string {
  return new Date(Number(BigInt(ns) / 1_000_000n)).toISOString().slice(0, 10);
}

export function age(ns: bigint): string {
  const seconds = Number(ns / 1_000_000n) / 1_000;
  if (seconds < 0.95) return "now";
  if (seconds < 100) return `${Math.round(seconds)}s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`;
  return `${Math.round(seconds / 3_600)}h`;
}
