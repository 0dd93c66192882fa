import type { ReactNode } from "react";
import styles from "./button.module.css";

interface Props {
  children: ReactNode;
  onClick: () => void;
  /** In progress: shows a label, ignores clicks, and keeps the focus (a disabled button would lose it). */
  busy?: boolean;
  primary?: boolean;
}

export function Button({ children, onClick, busy = false, primary = false }: Props) {
  return (
    <button
      type="button"
      className={`${styles.button} ${primary ? styles.primary : ""}`}
      aria-disabled={busy}
      onClick={() => {
        if (!busy) onClick();
      }}
    >
      {children}
    </button>
  );
}
