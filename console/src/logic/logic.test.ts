/** What the pages compute: numbers, words, patterns, differences, selections. */

import { describe, expect, test } from "vitest";
import { place } from "../app/links";
import { read } from "../app/prefs";
import { pretty } from "../parts/Json";
import { delivery, event, id, lane } from "../test/render";
import { countdown, relative } from "../time/format";
import { bucketed } from "./buckets";
import { curl } from "./curl";
import { ALWAYS_DIFFERENT, diff } from "./diff";
import { headline } from "./headline";
import { byTrouble, tone, why } from "./lanes";
import { meanwhile } from "./meanwhile";
import { percent, seconds, span } from "./numbers";
import { patterns } from "./patterns";
import { ceiling, line, steps, timeTicks } from "./scale";
import { mark, markAll, move, NOTHING, withRows } from "./selection";
import { since } from "./since";

describe("numbers", () => {
  test.each([
    [0, "0 ms"],
    [999.4, "999 ms"],
    [1300, "1.3 s"],
    [59_400, "59 s"],
    [200_000, "3 min 20 s"],
    [18_600_000, "5 h 10 min"],
    [183_600_000, "2 d 3 h"],
    [-5, "0 ms"],
  ])("a span of %d ms is %s", (ms, text) => expect(span(ms)).toBe(text));

  test("almost all is not all, and almost none is not none", () => {
    expect([percent(1), percent(0.99999), percent(0), percent(0.00001), percent(0.841)]).toEqual([
      "100 %",
      ">99.9 %",
      "0 %",
      "<0.1 %",
      "84.1 %",
    ]);
  });

  test("settings keep their unit", () => {
    expect([0.5, 90, 300, 259_200].map(seconds)).toEqual(["0.5 s", "90 s", "5 min", "72 h"]);
  });
});

describe("time", () => {
  test("relative text has one unit and a direction", () => {
    expect(relative(0, 500)).toBe("now");
    expect(relative(0, 200_000)).toBe("3 min ago");
    expect(relative(12_000, 0)).toBe("in 12 s");
  });

  test("a countdown never shows less than is left", () => {
    expect(countdown(1001, 0)).toBe("in 2.0 s");
    expect(countdown(0, 5)).toBe("due now");
  });
});

describe("lanes", () => {
  const down = lane({
    recipient: "down",
    breaker: "open",
    reason: "refused",
    next_probe: "2026-01-01T00:00:00.000Z",
  });
  const held = lane({ recipient: "held", paused: "they asked" });
  const fine = lane({ recipient: "fine", gates: [{ gate: "concurrency" }] });

  test("trouble, holds and flow are told apart; full slots are no trouble", () => {
    expect([down, held, fine].map(tone)).toEqual(["bad", "hold", "ok"]);
    expect(tone(lane({ gates: [{ gate: "credentials" }] }))).toBe("bad");
  });

  test("trouble comes first", () => {
    expect(byTrouble([fine, held, down]).map((one) => one.recipient)).toEqual([
      "down",
      "held",
      "fine",
    ]);
  });

  test("why it waits names the reason and when it may end", () => {
    expect(why(down)).toEqual({
      text: "down: refused",
      until: "2026-01-01T00:00:00.000Z",
      untilWord: "next probe",
    });
    expect(why(held)?.text).toBe("paused: they asked");
    expect(why(fine)).toBeNull();
  });

  test("the headline names what takes nothing", () => {
    expect(headline([down, fine])).toEqual({
      tone: "bad",
      text: "1 of 2 recipients takes nothing",
      lanes: ["down"],
    });
    expect(headline([fine]).text).toBe("All 1 recipient take what they are sent");
    expect(headline([]).text).toBe("No recipient is configured");
  });
});

describe("patterns", () => {
  test("the same failure is counted, successes are not, another recipient is another pattern", () => {
    const found = patterns([
      event({ position: 3, retry_timestamp: "2026-01-01T00:00:09.000Z" }),
      event({ position: 2 }),
      event({ position: 4, recipient: "beta" }),
      event({ position: 5, outcome: "success" }),
    ]);
    expect(found.map((one) => [one.recipient, one.count, one.reason])).toEqual([
      ["acme", 2, "Server error"],
      ["beta", 1, "Server error"],
    ]);
    expect(found[0]).toMatchObject({
      first: "2026-01-01T00:00:01.000Z",
      last: "2026-01-01T00:00:09.000Z",
    });
  });
});

test("a difference lists what explains, not what always differs", () => {
  const before = event({ position: 1, context: { network: { reused: true }, at: 1 } });
  const after = event({
    position: 2,
    context: { network: { reused: false }, at: 2 },
    error_details: { class: "tls", message: "certificate expired" },
  });
  expect(diff(before, after, ALWAYS_DIFFERENT)).toEqual([
    { path: "error_details.class", before: "server", after: "tls" },
    { path: "error_details.http_status", before: "503", after: "–" },
    {
      path: "error_details.message",
      before: "status=503: Server error",
      after: "certificate expired",
    },
    { path: "context.network.reused", before: "true", after: "false" },
  ]);
});

test("curl holds the key, placeholders for secrets, and nothing that a shell would obey", () => {
  const made = curl(
    delivery(),
    { method: "PUT", origin: 'https://x"$(rm)`' },
    event({ attempt_number: 3 }),
  );
  expect(made).toContain(`Idempotency-Key: ${id(1)}`);
  expect(made).toContain("$AUTHORIZATION");
  expect(made).toContain('"https://x\\"\\$(rm)\\`$ENDPOINT_PATH"');
  expect(made).toContain("Holdfast-Attempt: 3");
});

describe("selection", () => {
  const rows = withRows(NOTHING, ["a", "b", "c", "d"]);

  test("j and k stay within the rows", () => {
    expect(move(rows, 1).cursor).toBe(0);
    expect(move(move(rows, 1), -1).cursor).toBe(0);
    expect(move(rows, -1).cursor).toBe(3);
    expect(move(rows, 9).cursor).toBe(3);
  });

  test("a range is marked from the last mark", () => {
    const marked = mark(mark(rows, 0, false), 2, true);
    expect([...marked.marked]).toEqual(["a", "b", "c"]);
    expect([...mark(marked, 1, false).marked]).toEqual(["a", "c"]);
  });

  test("marks of rows that left are dropped, and the cursor follows its row", () => {
    const next = withRows(markAll(move(rows, 2), true), ["x", "b", "c"]);
    expect([...next.marked]).toEqual(["b", "c"]);
    expect(next.cursor).toBe(1);
  });
});

describe("plots", () => {
  test("the axis ends at a round number above the highest", () => {
    expect([0, 3, 12, 26, 100].map(ceiling)).toEqual([1, 5, 20, 50, 100]);
  });

  test("a missing value breaks the line", () => {
    expect(line([{ x: 0, y: 1 }, null, { x: 2, y: 3 }])).toBe("M0.0 1.0M2.0 3.0");
  });

  test("sums are steps, and begin where the plot does", () => {
    const dots = [1, 2, 3].map((y) => ({ x: y * 5, y }));
    expect(steps(dots)).toEqual([
      { x: 5, y: 2 },
      { x: 10, y: 2 },
      { x: 10, y: 3 },
      { x: 15, y: 3 },
    ]);
    expect(steps(dots.slice(0, 1))).toHaveLength(1);
  });

  test("ticks are round instants, never too many", () => {
    const found = timeTicks(1_000, 61_000, 6);
    expect(found.length).toBeLessThanOrEqual(7);
    expect(found.every((at) => at % 10_000 === 0)).toBe(true);
  });

  test("buckets hold every event once", () => {
    const some = [0, 1, 2, 30].map((second) =>
      event({
        position: second,
        outcome: second ? "success" : "error",
        retry_timestamp: new Date(second * 1000).toISOString(),
      }),
    );
    const made = bucketed(some);
    const sum = (values: number[]) => values.reduce((total, one) => total + one, 0);
    expect([sum(made.successes), sum(made.failures)]).toEqual([3, 1]);
  });
});

test("JSON is indented without touching its numbers", () => {
  expect(pretty('{"n":12345678901234567890,"s":"a,{\\"}","e":{},"l":[1, 2]}')).toBe(
    '{\n  "n": 12345678901234567890,\n  "s": "a,{\\"}",\n  "e": {},\n  "l": [\n    1,\n    2\n  ]\n}',
  );
  expect(pretty("<html>{}</html>")).toBe("<html>{}</html>");
});

test("only whole ids lead somewhere", () => {
  expect(place(` ${id(1)} `)).toBe(`/deliveries/${id(1)}`);
  expect(place("dlv_1")).toBeNull();
});

test("a span of the past is kept to the minute", () => {
  expect(since("1h", Date.parse("2026-01-01T10:00:59Z"))).toBe("2026-01-01T09:00:00.000Z");
  expect(since("", 0)).toBeUndefined();
});

test("what was kept is taken only if it is good", () => {
  expect(read('{"zone":"utc","actor":"ada"}')).toEqual({ zone: "utc", actor: "ada" });
  expect(read('{"zone":"mars","actor":"\u00e4"}')).toEqual({ zone: "local", actor: "console" });
  expect(read("not json")).toEqual({ zone: "local", actor: "console" });
});

test("what changed meanwhile is told in words, and only what explains", () => {
  const seen = delivery({ status: "dead", revision: 3, generation: 0 });
  const now = delivery({ status: "pending", revision: 4, generation: 1, code: null });
  expect(meanwhile(seen, now)).toEqual([
    { name: "Status", seen: "in review", now: "pending" },
    { name: "Ended by", seen: "HARD_FAILURE", now: "–" },
    { name: "Generation", seen: "0", now: "1" },
  ]);
});
