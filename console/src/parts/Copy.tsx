/** Copies a text; on plain HTTP the clipboard API is absent, so there is a second way. */

import { Button, Tooltip } from "@mantine/core";
import { useState } from "react";

const SHOWN_MS = 1500;

export async function copy(text: string): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser does not let pages copy");
}

interface Props {
  text: string | (() => string);
  label: string;
  /** Said of the button when its label is short. */
  what?: string;
}

export function Copy({ text, label, what }: Props) {
  const [said, setSaid] = useState<string | null>(null);
  async function run() {
    try {
      await copy(typeof text === "string" ? text : text());
      setSaid("Copied");
    } catch {
      setSaid("Not copied: select the text by hand");
    }
    setTimeout(() => setSaid(null), SHOWN_MS);
  }
  return (
    <Tooltip label={said ?? ""} opened={said !== null} withArrow>
      <Button size="compact-xs" variant="default" onClick={() => void run()} aria-label={what}>
        {label}
      </Button>
    </Tooltip>
  );
}
