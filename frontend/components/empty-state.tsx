import { useState } from "react";
import { ApiError, generateSampleData } from "@/lib/api";
import { counted } from "@/lib/format";
import { Button } from "./button";
import styles from "./empty-state.module.css";
import { Failure } from "./failure";

const SAMPLE_SIZE = 20;

/** Shown when there are no accounts: an explanation and a button that adds sample accounts. */
export function EmptyState({ onAdded }: { onAdded: (message: string) => Promise<void> }) {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<ApiError>();
  const [seed] = useState(() => Math.floor(Math.random() * 2 ** 32));

  async function add() {
    setPending(true);
    try {
      const { accounts_created: added } = await generateSampleData(SAMPLE_SIZE, seed);
      setError(undefined);
      await onAdded(added ? `Added ${counted(added, "sample account")}.` : "The sample accounts were there already.");
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      setError(failure);
    } finally {
      setPending(false);
    }
  }

  return (
    <section className={styles.empty} aria-labelledby="empty-title">
      <svg className={styles.picture} aria-hidden="true" width="120" height="72" viewBox="0 0 120 72">
        <rect x="8" y="40" width="20" height="24" rx="4" />
        <rect x="36" y="26" width="20" height="38" rx="4" />
        <rect x="64" y="34" width="20" height="30" rx="4" />
        <rect x="92" y="10" width="20" height="54" rx="4" />
      </svg>
      <h2 id="empty-title">No accounts yet</h2>
      <p className={styles.guidance}>
        The API works, but its database holds no accounts. Add sample accounts with 180 days of history to look around.
      </p>
      <Button primary onClick={add} busy={pending}>
        {pending ? "Adding sample accounts…" : `Add ${SAMPLE_SIZE} sample accounts`}
      </Button>
      {error && (
        <div className={styles.failure}>
          <Failure what="add sample accounts" error={error} pending={pending} onRetry={add} />
        </div>
      )}
    </section>
  );
}
