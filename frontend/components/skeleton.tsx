import styles from "./skeleton.module.css";

/** A grey bar shown while a text loads; sizes in rem. */
export function Skeleton({ width, height = 1 }: { width: number | string; height?: number }) {
  const inline = typeof width === "number" ? `${width}rem` : width;
  return <span aria-hidden="true" className={styles.skeleton} style={{ width: inline, height: `${height}rem` }} />;
}
