/** What a delivery took the place of, and what took its place. */

import { useLineage } from "../api/review";
import { DeliveryLines } from "./DeliveryLines";
import { Section } from "./Section";

export function LineageOf({ id }: { id: string }) {
  const lineage = useLineage(id).data;
  if (!lineage || lineage.ancestors.length + lineage.children.length === 0) return null;
  return (
    <Section title="Lineage">
      {lineage.children.length > 0 && (
        <>
          <h3>Took its place, with another payload</h3>
          <DeliveryLines items={lineage.children} label="Children" />
        </>
      )}
      {lineage.ancestors.length > 0 && (
        <>
          <h3>Took the place of</h3>
          <DeliveryLines items={lineage.ancestors} label="Parents" />
        </>
      )}
      {lineage.changes && lineage.changes.length > 0 && (
        <p>
          Its payload differs at{" "}
          {lineage.changes.map((change, index) => (
            <span key={change.pointer}>
              {index > 0 && ", "}
              <code>{change.pointer || "/"}</code> ({change.change})
            </span>
          ))}
          .
        </p>
      )}
    </Section>
  );
}
