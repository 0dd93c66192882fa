/** Formats numbers and dates. Dates of the API are calendar days, so everything is in UTC. */

const LOCALE = "en-US";
const DAY_MS = 86_400_000;

const compactDollars = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  notation: "compact",
  maximumSignificantDigits: 3,
});
const wholeDollars = new Intl.NumberFormat(LOCALE, { style: "currency", currency: "USD", maximumFractionDigits: 0 });
const integer = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 0 });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });
const time = new Intl.DateTimeFormat(LOCALE, { timeStyle: "short" });
const relativeDay = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });

/** `$1.23M` */
export const dollarsShort = (value: number): string => compactDollars.format(value);
/** `$1,234,567` */
export const dollars = (value: number): string => wholeDollars.format(value);
export const count = (value: number): string => integer.format(value);
/** `74.3`, and a dash for an unknown score. */
export const score = (value: number | null): string => (value === null ? "–" : oneDecimal.format(value));
/** `3%`; a share above zero is never shown as `0%`. */
export function share(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return percent.format(0);
  return part / whole < 0.005 ? "<1%" : percent.format(part / whole);
}
/** `1 account`, `2 accounts` */
export const counted = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
/** `Mar 4, 2027` from `2027-03-04`. */
export const date = (iso: string): string => day.format(new Date(iso));
/** The reader's own clock, `2:05 PM`. */
export const clock = (at: Date): string => time.format(at);
/** `in 12 days`, `tomorrow`, `3 days ago`. */
export function daysFromNow(iso: string, now: Date = new Date()): string {
  const today = Math.floor(now.getTime() / DAY_MS);
  return relativeDay.format(Math.floor(new Date(iso).getTime() / DAY_MS) - today, "day");
}
