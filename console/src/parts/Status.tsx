/** Where something stands, as shape and word: never by colour alone. */

import { BREAKER_WORDS, STAGE_WORDS, STATUS_WORDS } from "../logic/words";

type Shape = "full" | "ring" | "half" | "cross" | "dash" | "pause";
type Tone = "ok" | "bad" | "warn" | "hold" | "quiet";

function Mark({ shape }: { shape: Shape }) {
  const stroke = {
    fill: "none",
    stroke: "currentColor",
    strokeWidth: 2,
    strokeLinecap: "round",
  } as const;
  return (
    <svg className="mark" viewBox="0 0 12 12" aria-hidden="true">
      {shape === "full" && <circle cx="6" cy="6" r="4.5" fill="currentColor" />}
      {shape === "ring" && <circle cx="6" cy="6" r="4" {...stroke} />}
      {shape === "half" && (
        <>
          <circle cx="6" cy="6" r="4" {...stroke} />
          <path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" />
        </>
      )}
      {shape === "cross" && <path d="M2.5 2.5l7 7M9.5 2.5l-7 7" {...stroke} />}
      {shape === "dash" && <path d="M2 6h8" {...stroke} />}
      {shape === "pause" && <path d="M4 2.5v7M8 2.5v7" {...stroke} />}
    </svg>
  );
}

export function Label({ tone, shape, text }: { tone: Tone; shape: Shape; text: string }) {
  return (
    <span className={`label tone-${tone}`}>
      <Mark shape={shape} />
      {text}
    </span>
  );
}

const STATUSES: Record<string, { tone: Tone; shape: Shape }> = {
  pending: { tone: "hold", shape: "ring" },
  delivered: { tone: "ok", shape: "full" },
  dead: { tone: "bad", shape: "cross" },
  discarded: { tone: "quiet", shape: "dash" },
};

export function StatusLabel({ status }: { status: string }) {
  const look = STATUSES[status] ?? { tone: "quiet", shape: "ring" };
  return <Label {...look} text={STATUS_WORDS[status] ?? status} />;
}

const BREAKERS: Record<string, { tone: Tone; shape: Shape }> = {
  closed: { tone: "ok", shape: "full" },
  open: { tone: "bad", shape: "cross" },
  half_open: { tone: "warn", shape: "half" },
  recovery: { tone: "warn", shape: "half" },
};

export function BreakerLabel({ breaker, paused }: { breaker: string; paused?: boolean }) {
  if (paused) return <Label tone="hold" shape="pause" text="paused" />;
  const look = BREAKERS[breaker] ?? { tone: "quiet", shape: "ring" };
  return <Label {...look} text={BREAKER_WORDS[breaker] ?? breaker} />;
}

const OUTCOMES: Record<string, { tone: Tone; shape: Shape }> = {
  success: { tone: "ok", shape: "full" },
  failure: { tone: "bad", shape: "cross" },
  error: { tone: "warn", shape: "half" },
  skip: { tone: "quiet", shape: "dash" },
};

export function OutcomeLabel({ outcome }: { outcome: string }) {
  const look = OUTCOMES[outcome] ?? { tone: "quiet", shape: "ring" };
  return <Label {...look} text={outcome} />;
}

const STAGES: Record<string, { tone: Tone; shape: Shape }> = {
  proposed: { tone: "warn", shape: "ring" },
  approved: { tone: "ok", shape: "half" },
  rejected: { tone: "bad", shape: "cross" },
  current: { tone: "ok", shape: "full" },
  replaced: { tone: "quiet", shape: "dash" },
  superseded: { tone: "quiet", shape: "cross" },
  unsound: { tone: "bad", shape: "cross" },
};

export function StageLabel({ stage }: { stage: string }) {
  const look = STAGES[stage] ?? { tone: "quiet", shape: "ring" };
  return <Label {...look} text={STAGE_WORDS[stage] ?? stage} />;
}
