import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Logo } from "@/components/icons";
import { API_URL } from "@/lib/api";
import "./globals.css";
import styles from "./layout.module.css";

export const metadata: Metadata = {
  title: { default: "Portfolio · AI Success Insights", template: "%s · AI Success Insights" },
  description: "The health of your customer accounts, why it is what it is, and what to do next.",
  robots: { index: false },
};

export const viewport: Viewport = {
  colorScheme: "light dark",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#ffffff" },
    { media: "(prefers-color-scheme: dark)", color: "#14171f" },
  ],
};

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <a className={styles.skip} href="#main">
          Skip to content
        </a>
        <header className={styles.header}>
          <div className={styles.bar}>
            <Logo />
            <span className={styles.brand}>AI Success Insights</span>
          </div>
        </header>
        <main id="main" className={styles.main} tabIndex={-1}>
          {children}
        </main>
        <footer className={styles.footer}>
          <p className={styles.source}>Data from {API_URL}</p>
        </footer>
      </body>
    </html>
  );
}
