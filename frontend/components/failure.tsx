import type { ApiError, FailureKind } from "@/lib/api";
import { Button } from "./button";
import styles from "./failure.module.css";
import { AlertIcon } from "./icons";

const TITLES: Record<FailureKind, string> = {
  unreachable: "The API cannot be reached",
  timeout: "The API took too long",
  refused: "The API answered with an error",
};

interface Props {
  /** What could not be done, as in "load the accounts". */
  what: string;
  error: ApiError;
  pending: boolean;
  onRetry: () => void;
}

/** Says what failed, why in the API's own words, under which request id, and offers another try. */
export function Failure({ what, error, pending, onRetry }: Props) {
  return (
    <div className={styles.failure}>
      <div className={styles.icon}>
        <AlertIcon />
      </div>
      <div className={styles.text}>
        <div role="alert">
          <p className={styles.title}>{TITLES[error.kind]}</p>
          <p>
            Could not {what}. {error.message}
          </p>
        </div>
        {error.requestId && (
          <p className={styles.request}>
            Request ID <code>{error.requestId}</code>
          </p>
        )}
        <Button onClick={onRetry} busy={pending}>
          {pending ? "Trying again…" : "Try again"}
        </Button>
      </div>
    </div>
  );
}
