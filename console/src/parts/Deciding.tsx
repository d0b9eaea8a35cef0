/** How every form that does something ends: why, and then the way back or on. */

import { Button, Group, Textarea } from "@mantine/core";

interface ReasonProps {
  value: string;
  set: (reason: string) => void;
  /** What was wrong with it, or what the API said. */
  error: string | null;
}

export function Reason({ value, set, error }: ReasonProps) {
  return (
    <Textarea
      label="Reason"
      description="Kept in the audit journal, with your name."
      value={value}
      onChange={(event) => set(event.currentTarget.value)}
      maxLength={500}
      autosize
      minRows={2}
      withAsterisk
      error={error}
      data-autofocus
    />
  );
}

interface WaysProps {
  close: () => void;
  /** The button that does it, null: it cannot be done any more. */
  verb: string | null;
  danger?: boolean;
  busy: boolean;
  disabled: boolean;
}

export function Ways({ close, verb, danger, busy, disabled }: WaysProps) {
  return (
    <Group justify="flex-end" gap="xs">
      <Button variant="default" onClick={close}>
        Back
      </Button>
      {verb !== null && (
        <Button type="submit" color={danger ? "red" : undefined} loading={busy} disabled={disabled}>
          {verb}
        </Button>
      )}
    </Group>
  );
}
