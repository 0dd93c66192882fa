import { BUCKETS, type PortfolioMetrics } from "@/lib/api";
import { counted, dollarsShort, share } from "@/lib/format";
import { BucketBadge } from "./bucket-badge";
import styles from "./bucket-chart.module.css";
import { Skeleton } from "./skeleton";

/** How many accounts are in each bucket: one bar, and the same numbers (with the ARR) in words below it. */
export function BucketChart({ metrics }: { metrics: PortfolioMetrics | undefined }) {
  return (
    <div className={styles.card}>
      <h3 className={styles.title}>Accounts by health</h3>
      {metrics ? <Bar metrics={metrics} /> : <Skeleton width="100%" height={1.25} />}
      <ul className={styles.legend}>
        {BUCKETS.map((bucket) => (
          <li key={bucket}>
            <BucketBadge bucket={bucket} />
            {metrics ? (
              <>
                <span className={styles.count}>{counted(metrics.accounts_by_risk[bucket], "account")}</span>
                <span className={styles.note}>
                  {share(metrics.accounts_by_risk[bucket], metrics.total_accounts)} ·{" "}
                  {dollarsShort(metrics.arr_by_bucket[bucket])} ARR
                </span>
              </>
            ) : (
              <>
                <Skeleton width={6} height={1.5} />
                <Skeleton width={8} height={1.3125} />
              </>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Bar({ metrics }: { metrics: PortfolioMetrics }) {
  const { accounts_by_risk: counts, total_accounts: total } = metrics;
  let end = 0;
  const parts = BUCKETS.filter((bucket) => counts[bucket] > 0).map((bucket) => {
    const start = end;
    const width = (counts[bucket] / total) * 100;
    end += width;
    return { bucket, start, width };
  });
  const label = `Share of accounts: ${parts.map(({ bucket }) => `${bucket} ${share(counts[bucket], total)}`).join(", ")}`;
  return (
    <svg className={styles.bar} role="img" aria-label={label} width="100%" height="20">
      {parts.map(({ bucket, start, width }) => (
        <rect key={bucket} className={styles[bucket]} x={`${start}%`} width={`${width}%`} height="20" />
      ))}
    </svg>
  );
}
