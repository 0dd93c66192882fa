import type { ReactNode } from "react";
import type { PortfolioMetrics } from "@/lib/api";
import { count, counted, dollars, dollarsShort, score, share } from "@/lib/format";
import { BucketBadge } from "./bucket-badge";
import { HealthScale } from "./health-scale";
import styles from "./key-figures.module.css";
import { Skeleton } from "./skeleton";

/** The portfolio's numbers as cards; skeletons of the same size without metrics. */
export function KeyFigures({ metrics }: { metrics: PortfolioMetrics | undefined }) {
  return (
    <dl className={styles.grid}>
      <Figure
        label="Total ARR"
        value={metrics && dollarsShort(metrics.total_arr)}
        note={metrics && `${dollars(metrics.total_arr)} from ${counted(metrics.total_accounts, "account")}`}
      />
      <Figure
        label="ARR at risk"
        value={metrics && dollarsShort(metrics.at_risk_arr)}
        aside={metrics && `${share(metrics.at_risk_arr, metrics.total_arr)} of ARR`}
        note={
          metrics && (
            <span className={styles.parts}>
              <span>
                <BucketBadge bucket="Red" plain /> {dollarsShort(metrics.red_arr)}
              </span>
              <span>
                <BucketBadge bucket="Amber" plain /> {dollarsShort(metrics.amber_arr)}
              </span>
            </span>
          )
        }
      />
      <Figure
        label="Mean health"
        value={metrics && score(metrics.avg_health_score)}
        aside={
          metrics && (
            <>
              <span className={styles.dot} /> median {score(metrics.median_health_score)}
            </>
          )
        }
        note={metrics && <HealthScale mean={metrics.avg_health_score} median={metrics.median_health_score} />}
      />
      <Figure
        label="Renewals in 60 days"
        value={metrics && count(metrics.renewals_next_60d)}
        note={
          metrics &&
          `${share(metrics.renewals_next_60d, metrics.total_accounts)} of ${counted(metrics.total_accounts, "account")}`
        }
      />
    </dl>
  );
}

interface FigureProps {
  label: string;
  value: string | undefined;
  aside?: ReactNode;
  note: ReactNode;
}

function Figure({ label, value, aside, note }: FigureProps) {
  return (
    <div className={styles.card}>
      <dt className={styles.label}>{label}</dt>
      <dd className={styles.value}>
        {value === undefined ? (
          <Skeleton width={6} height={2} />
        ) : (
          <>
            {value} {aside && <span className={styles.aside}>{aside}</span>}
          </>
        )}
      </dd>
      <dd className={styles.note}>{value === undefined ? <Skeleton width={9} /> : note}</dd>
    </div>
  );
}
