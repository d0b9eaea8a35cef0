/** Empty, loading, broken: each says what is the case and what can be done. */

import { Button, Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Refusal } from "../api/client";

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Loading({ lines = 6 }: { lines?: number }) {
  return (
    <div className="loading" role="status">
      <span className="sr-only">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <Skeleton key={line} height={14} width={`${90 - ((line * 17) % 40)}%`} animate={false} />
      ))}
    </div>
  );
}

export function Trouble({ error, retry }: { error: Error; retry?: () => void }) {
  const refusal = error instanceof Refusal ? error : null;
  const problem = refusal?.problem;
  return (
    <div className="trouble" role="alert">
      <p className="trouble-title">{refusal?.status === 404 ? "Not found" : "This did not work"}</p>
      <p>{error.message}</p>
      {problem?.allowed && <p className="muted">Allowed: {problem.allowed}</p>}
      {retry && (
        <Button size="xs" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

interface AskedProps<T> {
  query: UseQueryResult<T, Error>;
  children: (data: T) => ReactNode;
  lines?: number;
}

/** Show what was asked for; old data stays while the API is away, and the shell says so. */
export function Asked<T>({ query, children, lines }: AskedProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return <Trouble error={query.error} retry={() => void query.refetch()} />;
  return <Loading lines={lines} />;
}
