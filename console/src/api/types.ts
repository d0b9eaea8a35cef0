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
export type Window = Overview["windows"][number];
export type Worker = Schemas["WorkerView"];
export type Member = Schemas["MemberView"];
export type Flow = Schemas["FlowView"];
/** The client's reading of the description loosens tuples, which only rules have. */
type Policy = Omit<Schemas["Policy"], "rules"> & { rules: readonly object[] };
export type StepPolicy = Omit<Schemas["StepPolicyView"], "policy"> & { policy: Policy };
export type PolicySettings = Schemas["PolicySettings"];
export type Note = Schemas["NoteView"];
export type AuditLine = Schemas["AuditLine"];
export type Waiting = Schemas["Waiting"];
export type Operation = Schemas["OperationView"];
export type Order = Schemas["Order"];
export type Kind = Operation["kind"];
export type Preview = Schemas["PreviewView"];
export type Result = Schemas["ResultView"];
export type GroupLine = Schemas["LineView"];
export type Group = Schemas["GroupView"];
export type Alert = Schemas["AlertView"];
export type CriticalPage = Schemas["CriticalPage"];
export type Spool = Schemas["SpoolView"];
export type GroupDetail = Schemas["GroupDetail"];
export type Cause = Schemas["Cause"];
export type Nature = Schemas["Nature"];
export type ReviewPage = Schemas["ReviewPage"];
export type Lineage = Schemas["LineageView"];
export type Version = Schemas["VersionView"];
export type Configuration = Schemas["ConfigurationView"];
export type Status = Schemas["Status"];
export type FailureClass = Schemas["FailureClass"];
export type Breaker = Schemas["BreakerState"];
export type Problem = Schemas["Problem"];
export type Session = Schemas["SessionView"];
export type Permission = Schemas["Permission"];

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
