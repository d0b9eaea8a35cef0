/** What a person may do to what was shown: it is done only if nobody was faster (If-Match). */

import { client, unwrap } from "./client";
import type { Delivery, Recipient } from "./types";

/** A delivery as it was seen. */
export type SeenDelivery = Pick<Delivery, "id" | "revision">;
/** A lane as it was seen. */
export type SeenLane = Pick<Recipient, "recipient" | "tag">;

const message = (id: string) => ({ path: { message_id: id } });

function delivery({ id, revision }: SeenDelivery) {
  return { params: { path: { delivery_id: id } }, headers: { "If-Match": `"${revision}"` } };
}

function lane({ recipient, tag }: SeenLane) {
  return { params: { path: { recipient } }, headers: { "If-Match": `"${tag}"` } };
}

export const act = {
  redrive: (seen: SeenDelivery, reason: string, endpoint?: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/redrive", {
        ...delivery(seen),
        body: { reason, ...(endpoint && { endpoint }) },
      }),
    ),
  cancel: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/cancel", { ...delivery(seen), body: { reason } }),
    ),
  discard: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/discard", { ...delivery(seen), body: { reason } }),
    ),
  undo: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/undo", { ...delivery(seen), body: { reason } }),
    ),
  prove: (seen: SeenDelivery, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/prove", { ...delivery(seen), body: { reason } }),
    ),
  reschedule: (seen: SeenDelivery, reason: string, at: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/reschedule", {
        ...delivery(seen),
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
