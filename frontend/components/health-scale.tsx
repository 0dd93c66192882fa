import { score } from "@/lib/format";
import styles from "./health-scale.module.css";

interface Props {
  mean: number | null;
  median: number | null;
}

/** Mean (bar) and median (dot) on a scale of 0..100, over the bands of the three buckets. */
export function HealthScale({ mean, median }: Props) {
  const label =
    mean === null || median === null
      ? "No account has a score yet"
      : `On a scale from 0 to 100 the mean is ${score(mean)}, the median ${score(median)}`;
  return (
    <svg className={styles.scale} role="img" aria-label={label} width="100%" height="14">
      <rect className={styles.red} x="0" y="4" width="50%" height="6" />
      <rect className={styles.amber} x="50%" y="4" width="25%" height="6" />
      <rect className={styles.green} x="75%" y="4" width="25%" height="6" />
      {median !== null && <circle className={styles.median} cx={`${median}%`} cy="7" r="4" />}
      {mean !== null && <line className={styles.mean} x1={`${mean}%`} x2={`${mean}%`} y1="0" y2="14" />}
    </svg>
  );
}
