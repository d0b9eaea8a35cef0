/** Bulk work in words and parts, and the orders that forms mean. */

import { describe, expect, test } from "vitest";
import { CUT_OFF, id, operation } from "../test/render";
import {
  type Fields,
  gateSays,
  handled,
  kindsFor,
  ordered,
  parts,
  staircase,
  standing,
  stepOf,
  through,
  titled,
  USUAL,
  walkSeconds,
} from "./operations";

const CANARY = { size: 20, bound: 0.8, patience_seconds: 900 };
const WHEN = { cutOff: CUT_OFF, reason: "why", now: new Date("2026-01-02T00:00:00Z") };
const fields = (part: Partial<Fields>): Fields => ({
  ...USUAL,
  kind: "redrive",
  canary: false,
  ...part,
});

test("a query allows what can act on some of what it finds", () => {
  expect(kindsFor("status:dead class:timeout")).toEqual(["redrive", "discard"]);
  expect(kindsFor("status:pending")).toEqual(["cancel", "reschedule", "priority", "endpoint"]);
  expect(kindsFor("status:dead,pending")).toHaveLength(6);
  expect(kindsFor("recipient:acme -status:delivered")).toHaveLength(6);
  expect(kindsFor("status:delivered")).toEqual([]);
});

describe("the parts of an operation", () => {
  test("add up to all that it is about", () => {
    const one = operation({
      expected: 100,
      changed: 60,
      delivered: 30,
      failed: 5,
      ended: 3,
      waiting: 22,
      skipped: 10,
      remaining: 30,
    });
    expect(parts(one).map(({ name, number }) => [name, number])).toEqual([
      ["delivered", 30],
      ["failed again", 5],
      ["given up since", 3],
      ["under way", 22],
      ["skipped", 10],
      ["still to do", 30],
    ]);
    expect(parts(one).reduce((sum, part) => sum + part.number, 0)).toBe(100);
    expect(handled(one)).toEqual({ done: 70, of: 100 });
  });

  test("a discard is done, and after an undo it is not", () => {
    const done = operation({ kind: "discard", changed: 10, remaining: 0, expected: 10 });
    expect(parts(done)).toEqual([{ name: "done", number: 10, tone: "ok" }]);
    const undone = { ...done, state: "undone" as const, undone: 8, kept: 2 };
    expect(parts(undone).map((part) => part.name)).toEqual(["undone", "kept"]);
    expect(standing(undone).says).toContain("2 kept");
  });

  test("more than was counted is not more than all", () => {
    expect(handled(operation({ expected: 10, at_least: true, changed: 25, remaining: 0 }))).toEqual(
      {
        done: 25,
        of: 25,
      },
    );
    expect(titled(operation({ expected: 10, at_least: true }))).toBe(
      "Redrive of at least 10 deliveries",
    );
  });
});

describe("the ramp", () => {
  test("doubles from one a second up to the plan's rate after a canary", () => {
    expect(staircase({ rate: 50, canary: CANARY })).toEqual([1, 2, 4, 8, 16, 32, 50]);
    expect(staircase({ rate: 0.5, canary: CANARY })).toEqual([0.5]);
    expect(staircase({ rate: 50, canary: null })).toEqual([50]);
    expect(stepOf([1, 2, 4, 8], 4)).toBe(2);
    expect(stepOf([1, 2, 4, 8], 3)).toBe(2);
    expect(stepOf([1, 2, 4, 8], 99)).toBe(3);
  });

  test("what is left is walked step by step", () => {
    expect(walkSeconds(100, 10, 10)).toBe(10);
    expect(walkSeconds(4, 1, 8)).toBe(4);
    // 5 at 1/s, 10 at 2/s, 20 at 4/s, then 8/s.
    expect(walkSeconds(35 + 80, 1, 8)).toBe(15 + 10);
    expect(walkSeconds(0, 1, 8)).toBe(0);
  });

  test("a time is told only while it says something", () => {
    const one = operation({ remaining: 100, present_rate: 10, rate: 10 });
    expect(through(one)).toBe("10 s");
    expect(through({ ...one, at_least: true })).toBe("more than 10 s");
    expect(through({ ...one, state: "paused" })).toBe("");
    expect(through({ ...one, stage: "gate" })).toBe("");
  });
});

test("a gate tells what is sure, what is asked and what is open", () => {
  const gate = { size: 20, delivered: 15, failed: 1, lower_bound: 0.56, bound: 0.8, since: null };
  expect(gateSays(gate)).toBe(
    "15 of 20 delivered, 1 failed, 4 without an outcome yet; success is surely (95 %) above 56.0 %, 80 % is asked",
  );
});

describe("an order", () => {
  test("is about just what was counted", () => {
    expect(ordered({ q: "status:dead" }, fields({ canary: true }), WHEN)).toEqual({
      kind: "redrive",
      q: "status:dead",
      cut_off: CUT_OFF,
      rate: 50,
      concurrency: 500,
      stop_error_rate: 0.5,
      canary: { size: 20, bound: 0.8 },
      reason: "why",
    });
  });

  test("names ids instead of a query, and says only what its kind takes", () => {
    const marked = { q: "", ids: [id(1)] };
    const later = ordered(marked, fields({ kind: "reschedule", endpoint: "b" }), WHEN);
    expect(later).toEqual({
      kind: "reschedule",
      ids: [id(1)],
      cut_off: CUT_OFF,
      rate: 50,
      at: "2026-01-02T00:00:00.000Z",
      reason: "why",
    });
    const discard = ordered(marked, fields({ kind: "discard", undo: 2, canary: true }), WHEN);
    expect(discard).toMatchObject({ undo_seconds: 7200 });
    expect(discard).not.toHaveProperty("canary");
    expect(ordered(marked, fields({ kind: "priority", priority: 9 }), WHEN)).toMatchObject({
      priority: 9,
    });
    expect(ordered(marked, fields({ kind: "endpoint", endpoint: "b" }), WHEN)).toMatchObject({
      endpoint: "b",
    });
  });

  test("a number that was taken out is left to the API: it is not zero", () => {
    const marked = { q: "", ids: [id(1)] };
    for (const kind of ["discard", "priority"] as const) {
      const order = ordered(marked, fields({ kind, undo: "", priority: "" }), WHEN);
      expect(order).not.toHaveProperty("undo_seconds");
      expect(order).not.toHaveProperty("priority");
    }
  });
});
