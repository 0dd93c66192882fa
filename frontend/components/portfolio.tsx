"use client";

import { useRef, useState } from "react";
import { getLargestAccounts, getPortfolioMetrics } from "@/lib/api";
import { clock, count } from "@/lib/format";
import { useDelay } from "@/lib/use-delay";
import { useResource } from "@/lib/use-resource";
import { AccountList } from "./account-list";
import { BucketChart } from "./bucket-chart";
import { Button } from "./button";
import { EmptyState } from "./empty-state";
import { Failure } from "./failure";
import { RefreshIcon } from "./icons";
import { KeyFigures } from "./key-figures";
import styles from "./portfolio.module.css";
import { Section } from "./section";

const SLOW_MS = 4_000;

export function Portfolio() {
  const metrics = useResource(getPortfolioMetrics);
  const accounts = useResource(getLargestAccounts);
  const heading = useRef<HTMLHeadingElement>(null);
  const [notice, setNotice] = useState("");

  const pending = metrics.pending || accounts.pending;
  const slow = useDelay(pending, SLOW_MS);
  const nothing = !metrics.data && !accounts.data;
  const down = nothing && metrics.error?.kind === "unreachable" && accounts.error?.kind === "unreachable";
  const empty = (metrics.data?.total_accounts ?? accounts.data?.total) === 0;

  async function refresh() {
    setNotice("");
    const done = await Promise.all([metrics.reload(), accounts.reload()]);
    return done.every(Boolean);
  }

  async function retry() {
    if (await refresh()) heading.current?.focus();
  }

  async function added(message: string) {
    await refresh();
    setNotice(message);
    heading.current?.focus();
  }

  return (
    <div className={styles.page}>
      <div className={styles.top}>
        <div>
          <h1 ref={heading} tabIndex={-1}>
            Portfolio
          </h1>
          <p className={styles.status} role="status">
            {statusText({ pending, slow, nothing, notice, loadedAt: metrics.loadedAt ?? accounts.loadedAt })}
          </p>
        </div>
        <Button onClick={refresh} busy={pending}>
          <RefreshIcon /> Refresh
        </Button>
      </div>

      {down && metrics.error ? (
        <Failure what="load the portfolio" error={metrics.error} pending={pending} onRetry={retry} />
      ) : (
        <>
          {(!empty || metrics.error) && (
            <Section title="Key figures" titleHidden what="load the key figures" resource={metrics}>
              {(data) => (
                <>
                  <KeyFigures metrics={data} />
                  <BucketChart metrics={data} />
                </>
              )}
            </Section>
          )}
          {empty ? (
            <EmptyState onAdded={added} />
          ) : (
            <Section
              title="Largest accounts"
              note={accounts.data && `${count(accounts.data.accounts.length)} of ${count(accounts.data.total)}, by ARR`}
              what="load the accounts"
              resource={accounts}
            >
              {(data) => <AccountList accounts={data?.accounts} />}
            </Section>
          )}
        </>
      )}
    </div>
  );
}

interface Status {
  pending: boolean;
  slow: boolean;
  nothing: boolean;
  notice: string;
  loadedAt: Date | undefined;
}

function statusText({ pending, slow, nothing, notice, loadedAt }: Status): string {
  if (pending && slow) return "Still waiting: after a pause the API takes some seconds to start.";
  if (pending && nothing) return "Loading…";
  if (!loadedAt) return "";
  return [notice, `Updated at ${clock(loadedAt)}.`].filter(Boolean).join(" ");
}
