/** What a person may do, as functions of a target and a reason. */

import { client, unwrap } from "./client";

const delivery = (id: string) => ({ path: { delivery_id: id } });
const recipient = (name: string) => ({ path: { recipient: name } });
const message = (id: string) => ({ path: { message_id: id } });

export const act = {
  redrive: (id: string, reason: string, endpoint?: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/redrive", {
        params: delivery(id),
        body: { reason, ...(endpoint && { endpoint }) },
      }),
    ),
  cancel: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/cancel", {
        params: delivery(id),
        body: { reason },
      }),
    ),
  discard: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/discard", {
        params: delivery(id),
        body: { reason },
      }),
    ),
  undo: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/undo", { params: delivery(id), body: { reason } }),
    ),
  prove: (id: string, reason: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/prove", { params: delivery(id), body: { reason } }),
    ),
  reschedule: (id: string, reason: string, at: string) =>
    unwrap(
      client.POST("/v1/deliveries/{delivery_id}/reschedule", {
        params: delivery(id),
        body: { reason, at },
      }),
    ),
  pause: (name: string, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/pause", {
        params: recipient(name),
        body: { reason },
      }),
    ),
  resume: (name: string, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/resume", {
        params: recipient(name),
        body: { reason },
      }),
    ),
  open: (name: string, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/breaker/open", {
        params: recipient(name),
        body: { reason },
      }),
    ),
  reset: (name: string, reason: string) =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/breaker/reset", {
        params: recipient(name),
        body: { reason },
      }),
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
