import type { NextConfig } from "next";
import { PHASE_DEVELOPMENT_SERVER, PHASE_PRODUCTION_BUILD } from "next/constants";

/** Why `value` cannot be the API's address, or undefined when it can. It is fixed in the pages when they are built. */
function problemWith(value: string | undefined): string | undefined {
  const example = "give the API's address, for example NEXT_PUBLIC_API_URL=http://localhost:8000";
  if (!value) return `NEXT_PUBLIC_API_URL is not set: ${example}`;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    return `NEXT_PUBLIC_API_URL is "${value}", which is no http(s) address: ${example}`;
  }
  if (value.endsWith("/") || url.search || url.hash || url.username) {
    return `NEXT_PUBLIC_API_URL is "${value}": leave out the slash at its end, a query, a fragment and credentials`;
  }
  if (process.env.VERCEL && url.protocol !== "https:") {
    return `NEXT_PUBLIC_API_URL is "${value}": a site on https reaches an API on https only`;
  }
  return undefined;
}

export default function config(phase: string): NextConfig {
  if (phase === PHASE_PRODUCTION_BUILD || phase === PHASE_DEVELOPMENT_SERVER) {
    const problem = problemWith(process.env.NEXT_PUBLIC_API_URL);
    if (problem) throw new Error(problem);
  }
  return { output: "export", reactStrictMode: true, turbopack: { root: __dirname } };
}
