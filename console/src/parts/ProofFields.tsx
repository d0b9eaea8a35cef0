/** What shows that a recipient has it: its own reference, what was seen, the name of a file. */

import { FileInput, Textarea, TextInput } from "@mantine/core";
import type { Values } from "./ActDialog";

interface Props {
  values: Values;
  set: (part: Values) => void;
}

/** Only the name and the digest are kept; browsers compute digests on this machine or over TLS. */
async function noted(file: File | null): Promise<Values> {
  if (!file) return { file: "", sha256: "" };
  if (!globalThis.crypto?.subtle) return { file: file.name, sha256: "" };
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  const sha256 = [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  return { file: file.name, sha256 };
}

export function ProofFields({ values, set }: Props) {
  return (
    <>
      <TextInput
        label="Their reference"
        description="The partner's own id for it."
        maxLength={200}
        value={values.reference ?? ""}
        onChange={(event) => set({ reference: event.currentTarget.value })}
      />
      <Textarea
        label="What was seen"
        description="And where: a mail, a call, their screen."
        maxLength={2000}
        autosize
        minRows={2}
        value={values.proof ?? ""}
        onChange={(event) => set({ proof: event.currentTarget.value })}
      />
      <FileInput
        label="File that shows it"
        description="Its name and digest are noted; it stays where it is."
        clearable
        placeholder="none"
        onChange={(file) => void noted(file).then(set)}
      />
    </>
  );
}
