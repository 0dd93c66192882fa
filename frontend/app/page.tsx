import { Portfolio } from "@/components/portfolio";
import { API_URL, LARGEST_ACCOUNTS, PORTFOLIO_METRICS } from "@/lib/api";

/** Asks for the data while the scripts are still on their way: a fetch of the same address takes over the answer. */
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
