import { z } from "../strict";

const API = "/api/v1";
const problemShape = z.object({
  error: z.string(),
  field: z.string().nullish(),
  retry_after_s: z.number().nullish(),
});
const refusalShape = z.object({ refusal: z.string() });

/** What the server said, verbatim, and which field it is about. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly field: string | null = null,
  ) {
    super(message);
  }
}

let csrf = "";
let onLoggedOut: () => void = () => undefined;

export function useToken(token: string): void {
  csrf = token;
}

export function whenLoggedOut(act: () => void): void {
  onLoggedOut = act;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

async function send(method: Method, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf) headers["x-csrf-token"] = csrf;
  try {
    return await fetch(API + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, "the server cannot be reached");
  }
}

/** Send a request; return its answer. Throws Problem with the server's own words. */
export async function ask<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const answer = await send(method, path, body);
  if (answer.status === 204) return undefined as T;
  const said: unknown = await answer.json().catch(() => null);
  if (answer.ok) return said as T;
  if (answer.status === 401 && path !== "/auth/me" && !path.startsWith("/auth/")) onLoggedOut();
  throw problemOf(answer.status, said);
}

function problemOf(status: number, said: unknown): Problem {
  const problem = problemShape.safeParse(said);
  if (problem.success) return new Problem(status, problem.data.error, problem.data.field ?? null);
  const refused = refusalShape.safeParse(said);
  if (refused.success) return new Problem(status, refused.data.refusal);
  return new Problem(status, `the server answered ${status}`);
}

export const get = <T>(path: string): Promise<T> => ask<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => ask<T>("POST", path, body);
