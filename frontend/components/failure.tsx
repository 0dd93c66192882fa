import type { ApiError, FailureKind } from "@/lib/api";
import { Button } from "./button";
import styles from "./failure.module.css";
import { AlertIcon } from "./icons";

const TITLES: Record<FailureKind, string> = {
  unreachable: "The API cannot be reached",
  timeout: "The API took too long",
  refused: "The API returned an error",
};

interface Props {
  /** The operation that failed, such as "load the accounts". */
  what: string;
  error: ApiError;
  pending: boolean;
  onRetry: () => void;
}

/** Shows what failed, the API's own detail and request id, and a retry button. */
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
