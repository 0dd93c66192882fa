import { type ReactNode, useId, useRef } from "react";
import type { Resource } from "@/lib/use-resource";
import { Failure } from "./failure";
import styles from "./section.module.css";

interface Props<T> {
  title: string;
  /** A note beside the title. */
  note?: ReactNode;
  titleHidden?: boolean;
  /** The operation as named in an error, such as "load the accounts". */
  what: string;
  resource: Resource<T>;
  /** Renders the data, or its skeleton while it loads. */
  children: (data: T | undefined) => ReactNode;
}

/** A part of the page that loads, fails and retries independently. */
export function Section<T>({ title, note, titleHidden = false, what, resource, children }: Props<T>) {
  const id = useId();
  const heading = useRef<HTMLHeadingElement>(null);

  async function retry() {
    if (await resource.reload()) heading.current?.focus();
  }

  return (
    <section className={styles.section} aria-labelledby={id} aria-busy={resource.pending}>
      <div className={titleHidden ? "visually-hidden" : styles.heading}>
        <h2 id={id} ref={heading} tabIndex={-1}>
          {title}
        </h2>
        {note && <p className={styles.note}>{note}</p>}
      </div>
      {resource.error && <Failure what={what} error={resource.error} pending={resource.pending} onRetry={retry} />}
      {(resource.data || !resource.error) && children(resource.data)}
    </section>
  );
}
