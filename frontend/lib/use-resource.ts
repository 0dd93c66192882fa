import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./api";

interface State<T> {
  /** The last data; kept while newer data loads and when that fails. */
  data?: T;
  loadedAt?: Date;
  /** Why the last attempt failed; kept while the next one runs. */
  error?: ApiError;
  pending: boolean;
}

export interface Resource<T> extends State<T> {
  /** Loads again; resolves to whether it succeeded. */
  reload: () => Promise<boolean>;
}

/** Loads on mount and whenever `load` changes (keep it stable); a newer load aborts the earlier one. */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<State<T>>({ pending: true });
  const current = useRef<AbortController>(undefined);

  const reload = useCallback(async () => {
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    setState((previous) => ({ ...previous, pending: true }));
    try {
      const data = await load(controller.signal);
      if (controller.signal.aborted) return false;
      setState({ data, loadedAt: new Date(), pending: false });
      return true;
    } catch (error) {
      if (controller.signal.aborted) return false;
      if (!(error instanceof ApiError)) throw error;
      setState((previous) => ({ ...previous, error, pending: false }));
      return false;
    }
  }, [load]);

  useEffect(() => {
    void reload();
    return () => current.current?.abort();
  }, [reload]);

  return { ...state, reload };
}
