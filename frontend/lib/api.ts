/**
 * The service's HTTP interface as far as this site uses it: types with the names of the wire, one function a call.
 * Kept by hand after the service's OpenAPI document; generated types can replace the interfaces below.
 */

export const API_URL = process.env.NEXT_PUBLIC_API_URL ?? "";

export const PORTFOLIO_METRICS = "/portfolio/metrics";
export const LARGEST_ACCOUNTS = "/accounts?page_size=10&sort=-arr";

/** Longer than the gateway's own limit of 30 s, so that its response is shown. */
const DEADLINE_MS = 35_000;

export const BUCKETS = ["Green", "Amber", "Red", "Unscored"] as const;
/** A health bucket; `Unscored` is for accounts with too little data. */
export type Bucket = (typeof BUCKETS)[number];
export type Segment = "SMB" | "Mid-Market" | "Enterprise";

export interface Account {
  id: number;
  name: string;
  segment: Segment;
  /** US dollars a year. */
  arr: number;
  cs_owner: string | null;
  /** `YYYY-MM-DD`. */
  renewal_date: string | null;
  /** 0..100, null when there is too little data. */
  health_score: number | null;
  health_bucket: Exclude<Bucket, "Unscored"> | null;
}

export interface AccountPage {
  total: number;
  page: number;
  page_size: number;
  accounts: Account[];
}

export interface PortfolioMetrics {
  total_accounts: number;
  total_arr: number;
  arr_by_bucket: Record<Bucket, number>;
  accounts_by_risk: Record<Bucket, number>;
  avg_health_score: number | null;
  median_health_score: number | null;
  renewals_next_60d: number;
  /** Amber and Red together. */
  at_risk_arr: number;
  red_arr: number;
  amber_arr: number;
  /** UTC timestamp. */
  as_of: string;
}

export interface ImportResult {
  message: string;
  accounts_created: number;
  accounts_updated: number;
}

/** An RFC 9457 problem document; a gateway in front returns `{message}` instead. */
interface Problem {
  title?: string;
  detail?: string;
  request_id?: string;
  message?: string;
}

/** `unreachable`: no response that the browser lets a page read; `timeout`: none in time; `refused`: an error response. */
export type FailureKind = "unreachable" | "timeout" | "refused";

export class ApiError extends Error {
  override name = "ApiError";

  constructor(
    readonly kind: FailureKind,
    detail: string,
    readonly status?: number,
    readonly requestId?: string,
  ) {
    super(detail);
  }
}

function asProblem(body: unknown): Problem {
  return typeof body === "object" && body !== null ? body : {};
}

async function request<T>(path: string, signal?: AbortSignal, method = "GET"): Promise<T> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetch(API_URL + path, { method, signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
    text = await response.text();
  } catch {
    if (deadline.aborted)
      throw new ApiError("timeout", `${API_URL} did not respond within ${DEADLINE_MS / 1000} seconds.`);
    throw new ApiError(
      "unreachable",
      navigator.onLine
        ? `No response from ${API_URL}: it is not running, or it does not accept requests from ${location.origin}.`
        : "This device is offline.",
    );
  }
  const requestId = response.headers.get("X-Request-ID") ?? undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(
      "refused",
      `${API_URL} returned ${response.status} with a body that is not JSON.`,
      response.status,
      requestId,
    );
  }
  if (response.ok) return body as T;
  const problem = asProblem(body);
  const detail = problem.detail ?? problem.message ?? problem.title ?? `The API returned ${response.status}.`;
  throw new ApiError("refused", detail, response.status, problem.request_id ?? requestId);
}

export function getPortfolioMetrics(signal: AbortSignal): Promise<PortfolioMetrics> {
  return request(PORTFOLIO_METRICS, signal);
}

export function getLargestAccounts(signal: AbortSignal): Promise<AccountPage> {
  return request(LARGEST_ACCOUNTS, signal);
}

/** Adds sample accounts with history. The same seed gives the same accounts, so a call whose response was lost can be repeated. */
export function generateSampleData(count: number, seed: number): Promise<ImportResult> {
  return request(`/ingest/generate-mock?count=${count}&seed=${seed}`, undefined, "POST");
}
