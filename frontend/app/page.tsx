import { Portfolio } from "@/components/portfolio";
import { API_URL, LARGEST_ACCOUNTS, PORTFOLIO_METRICS } from "@/lib/api";

/** Preloads the data while the scripts load; a later fetch of the same URL uses the preloaded response. */
export default function Page() {
  return (
    <>
      {[PORTFOLIO_METRICS, LARGEST_ACCOUNTS].map((path) => (
        <link key={path} rel="preload" as="fetch" href={API_URL + path} crossOrigin="anonymous" />
      ))}
      <Portfolio />
    </>
  );
}
