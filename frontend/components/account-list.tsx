import type { Account } from "@/lib/api";
import { date, daysFromNow, dollars, score } from "@/lib/format";
import { useMediaQuery } from "@/lib/use-media-query";
import styles from "./account-list.module.css";
import { BucketBadge } from "./bucket-badge";
import { Skeleton } from "./skeleton";

const PLACEHOLDERS = Array.from({ length: 5 }, (_, index) => index);

/** Accounts as a table, on narrow screens as cards; skeletons while `accounts` is undefined. */
export function AccountList({ accounts }: { accounts: Account[] | undefined }) {
  const narrow = useMediaQuery("(width < 56rem)");
  return narrow ? <Cards accounts={accounts} /> : <Table accounts={accounts} />;
}

function Table({ accounts }: { accounts: Account[] | undefined }) {
  return (
    <div className={styles.frame}>
      <table className={styles.table}>
        <caption className="visually-hidden">Accounts with the highest ARR, largest first</caption>
        <thead>
          <tr>
            <th scope="col">Account</th>
            <th scope="col">Segment</th>
            <th scope="col">Owner</th>
            <th scope="col" className={styles.number} aria-sort="descending">
              ARR
            </th>
            <th scope="col">Health</th>
            <th scope="col">Renewal</th>
          </tr>
        </thead>
        <tbody>
          {accounts
            ? accounts.map((account) => (
                <tr key={account.id}>
                  <th scope="row">{account.name}</th>
                  <td className={styles.tight}>{account.segment}</td>
                  <td>{account.cs_owner ?? <Unknown />}</td>
                  <td className={styles.number}>{dollars(account.arr)}</td>
                  <td>
                    <Health account={account} />
                  </td>
                  <td>
                    <Renewal account={account} />
                  </td>
                </tr>
              ))
            : PLACEHOLDERS.map((row) => (
                <tr key={row}>
                  {["10rem", "5rem", "7rem", "6rem", "7rem", "7rem"].map((width, column) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: a fixed row of placeholders
                    <td key={column}>
                      <Skeleton width={width} height={1.25} />
                    </td>
                  ))}
                </tr>
              ))}
        </tbody>
      </table>
    </div>
  );
}

function Cards({ accounts }: { accounts: Account[] | undefined }) {
  if (!accounts) {
    return (
      <ul className={styles.cards}>
        {PLACEHOLDERS.map((row) => (
          <li key={row} className={styles.card}>
            <Skeleton width={10} height={1.25} />
            <Skeleton width="100%" height={4} />
          </li>
        ))}
      </ul>
    );
  }
  return (
    <ul className={styles.cards}>
      {accounts.map((account) => (
        <li key={account.id} className={styles.card}>
          <div className={styles.top}>
            <h3 className={styles.name}>{account.name}</h3>
            <Health account={account} />
          </div>
          <dl className={styles.facts}>
            <Fact label="ARR">{dollars(account.arr)}</Fact>
            <Fact label="Segment">{account.segment}</Fact>
            <Fact label="Owner">{account.cs_owner ?? <Unknown />}</Fact>
            <Fact label="Renewal">
              <Renewal account={account} />
            </Fact>
          </dl>
        </li>
      ))}
    </ul>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Health({ account }: { account: Account }) {
  return (
    <span className={styles.health}>
      <span className={styles.score}>{score(account.health_score)}</span>
      <BucketBadge bucket={account.health_bucket ?? "Unscored"} />
    </span>
  );
}

function Renewal({ account }: { account: Account }) {
  if (account.renewal_date === null) return <Unknown />;
  return (
    <span className={styles.renewal}>
      <time dateTime={account.renewal_date}>{date(account.renewal_date)}</time>{" "}
      <span className={styles.muted}>{daysFromNow(account.renewal_date)}</span>
    </span>
  );
}

function Unknown() {
  return <span className={styles.muted}>Unknown</span>;
}
