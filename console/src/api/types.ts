/** Short names for the shapes that the API's description gives. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Delivery = Schemas["DeliveryView"];
export type RetryEvent = Omit<Schemas["EventView"], "context" | "configuration"> & {
  context: Record<string, unknown>;
  configuration: Record<string, unknown>;
};
export type Recipient = Schemas["RecipientView"];
export type Message = Schemas["MessageView"];
export type Overview = Schemas["OverviewView"];
export type Point = Schemas["PointView"];
export type Window = Schemas["Window"];
export type Worker = Schemas["WorkerView"];
export type Member = Schemas["MemberView"];
export type Flow = Schemas["FlowView"];
/** The client's reading of the description loosens tuples, which only rules have. */
type Policy = Omit<Schemas["Policy"], "rules"> & { rules: readonly object[] };
export type StepPolicy = Omit<Schemas["StepPolicyView"], "policy"> & { policy: Policy };
export type Note = Schemas["NoteView"];
export type Waiting = Schemas["Waiting"];
export type Status = Schemas["Status"];
export type FailureClass = Schemas["FailureClass"];
export type Breaker = Schemas["BreakerState"];
export type Problem = Schemas["Problem"];

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
