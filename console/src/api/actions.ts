/** What a person may do to what was shown: it is done only if nobody was faster (If-Match). */

import { client, unwrap } from "./client";
import type { components } from "./schema";
import type { Delivery, Recipient } from "./types";

/** A delivery as it was seen. */
export type SeenDelivery = Pick<Delivery, "id" | "revision">;
/** A lane as it was seen. */
export type SeenLane = Pick<Recipient, "recipient" | "tag">;

/** What holds for one delivery only. */
export type Override = Omit<components["schemas"]["Redrive"], "reason">;

/** What shows that a recipient has it. */
export interface Proof {
  reference?: string;
  proof?: string;
  file?: string;
  sha256?: string;
}

const message = (id: string) => ({ path: { message_id: id } });

export function seenDelivery({ id, revision }: SeenDelivery) {
  return { params: { path: { delivery_id: id } }, headers: { "If-Match": `"${revision}"` } };
}

function lane({ recipient, tag }: SeenLane) {
  return { params: { path: { recipient } }, headers: { "If-Match": `"${tag}"` } };
}

export const act = {
  redrive: (seen: SeenDelivery, reason: string, override: Override) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/redrive", {
        ...seenDelivery(seen),
        body: { reason, ...override },
      }),
    ),
  cancel: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/cancel", {
        ...seenDelivery(seen),
        body: { reason },
      }),
    ),
  discard: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/discard", {
        ...seenDelivery(seen),
        body: { reason },
      }),
    ),
  undo: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/undo", { ...seenDelivery(seen), body: { reason } }),
    ),
  prove: (seen: SeenDelivery, reason: string, proof: Proof) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/prove", {
        ...seenDelivery(seen),
        body: { reason, ...proof },
      }),
    ),
  reschedule: (seen: SeenDelivery, reason: string, at: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/reschedule", {
        ...seenDelivery(seen),
        body: { reason, at },
      }),
    ),
  pause: (seen: SeenLane, reason: string) =>
    unwrap(client.POST("/v1/recipients/{recipient}/pause", { ...lane(seen), body: { reason } })),
  resume: (seen: SeenLane, reason: string) =>
    unwrap(client.POST("/v1/recipients/{recipient}/resume", { ...lane(seen), body: { reason } })),
  open: (seen: SeenLane, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/breaker/open", { ...lane(seen), body: { reason } }),
    ),
  reset: (seen: SeenLane, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/breaker/reset", { ...lane(seen), body: { reason } }),
    ),
  replay: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/messages/{message_id}/replay", { params: message(id), body: { reason } }),
    ),
  revoke: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/messages/{message_id}/consent", { params: message(id), body: { reason } }),
    ),
};
