import type { Bucket } from "@/lib/api";
import styles from "./bucket-badge.module.css";
import { BucketIcon } from "./icons";

/** A bucket's icon and name; `plain` leaves out the tinted background. */
export function BucketBadge({ bucket, plain = false }: { bucket: Bucket; plain?: boolean }) {
  return (
    <span className={`${styles.badge} ${styles[bucket]} ${plain ? styles.plain : ""}`}>
      <BucketIcon bucket={bucket} />
      {bucket}
    </span>
  );
}
