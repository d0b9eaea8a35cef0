import { Button } from "@mantine/core";

/** What a list tells that loads one page after the other. */
interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** Loads the next page of a list, where there is one. */
export function Older({ list, label = "Older" }: { list: Paged; label?: string }) {
  if (!list.hasNextPage) {
    return null;
  }
  return (
    <Button
      className="older"
      variant="default"
      size="xs"
      loading={list.isFetchingNextPage}
      onClick={() => void list.fetchNextPage()}
    >
      {label}
    </Button>
  );
}
