import type { ReactNode } from "react";
import type { Bucket } from "@/lib/api";

/** Decorative: the text beside it says the same, so it is hidden from assistive technology. */
function Icon({ children }: { children: ReactNode }) {
  return (
    <svg
      aria-hidden="true"
      width="1em"
      height="1em"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      style={{ flex: "none" }}
    >
      {children}
    </svg>
  );
}

/** Each bucket has its own shape, so that colour is never the only difference. */
export function BucketIcon({ bucket }: { bucket: Bucket }) {
  switch (bucket) {
    case "Green":
      return (
        <Icon>
          <circle cx="8" cy="8" r="6.5" />
          <path d="m5.2 8.3 2 2 3.7-4.2" />
        </Icon>
      );
    case "Amber":
      return (
        <Icon>
          <path d="M8 1.8 14.7 13.6H1.3Z" />
          <path d="M8 6.4v3.2m0 2v.01" />
        </Icon>
      );
    case "Red":
      return (
        <Icon>
          <path d="M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2Z" />
          <path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4" />
        </Icon>
      );
    case "Unscored":
      return (
        <Icon>
          <circle cx="8" cy="8" r="6.5" strokeDasharray="2.4 2.7" />
          <path d="M5.5 8h5" />
        </Icon>
      );
  }
}

export function AlertIcon() {
  return (
    <Icon>
      <circle cx="8" cy="8" r="6.5" />
      <path d="M8 4.6v4m0 2.6v.01" />
    </Icon>
  );
}

export function RefreshIcon() {
  return (
    <Icon>
      <path d="M13.7 8A5.7 5.7 0 1 1 12 3.9l1.7 1.6M13.7 2v3.5h-3.5" />
    </Icon>
  );
}

export function Logo() {
  return (
    <svg aria-hidden="true" width="26" height="26" viewBox="0 0 32 32">
      <rect width="32" height="32" rx="8" fill="#3949c4" />
      <path
        d="M6 17.5h4.6l3-8 5 14 2.9-8.4 1 2.4H26"
        fill="none"
        stroke="#fff"
        strokeWidth="2.6"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
