/** Operations: how they are started, watched, stopped and exported. */

import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, test, vi } from "vitest";
import { Route } from "wouter";
import type { Operation as Shape } from "../api/types";
import { links } from "../app/links";
import { OperationForm, type Wanted } from "../parts/OperationForm";
import { answering, CUT_OFF, id, operation, preview, show } from "../test/render";
import Operation from "./Operation";
import Operations from "./Operations";

const ALL = { q: "status:dead", what: "all that match", kinds: ["redrive", "discard"] as const };
const wanted = { ...ALL, kinds: [...ALL.kinds] };

describe("the form", () => {
  test("counts first, puts a canary before many, and starts just what was counted", async () => {
    const asked = answering(({ path }) =>
      path.endsWith("/preview")
        ? { body: preview({ count: 12_345, at_least: true }) }
        : { body: operation({ expected: 12_345 }) },
    );
    show(<OperationForm wanted={wanted} close={() => undefined} />);
    expect(await screen.findByText("at least 12,345 deliveries")).toBeTruthy();
    const canary = screen.getByRole("checkbox", { name: /canary/ }) as HTMLInputElement;
    expect(canary.checked).toBe(true);
    const start = screen.getByRole("button", { name: "Redrive at least 12,345" });
    await userEvent.click(start);
    expect(await screen.findByText(/Say why/)).toBeTruthy();
    expect(asked.filter((one) => one.path === "/v1/operations")).toHaveLength(0);
    await userEvent.type(screen.getByLabelText(/Reason/), "partner is back");
    await userEvent.click(start);
    expect(await screen.findByText("0 of 12,345")).toBeTruthy();
    const sent = asked.find((one) => one.path === "/v1/operations");
    expect(sent?.body).toMatchObject({
      q: "status:dead",
      cut_off: CUT_OFF,
      canary: { size: 20, bound: 0.8 },
      reason: "partner is back",
    });
  });

  test("a few need no canary, and another kind is counted anew", async () => {
    const kinds: string[] = [];
    answering(({ path, body }) => {
      if (!path.endsWith("/preview")) return { body: { items: [] } };
      const { kind } = body as { kind: string };
      kinds.push(kind);
      return { body: preview({ count: kind === "discard" ? 7 : 5 }) };
    });
    show(<OperationForm wanted={wanted} close={() => undefined} />);
    expect(await screen.findByRole("button", { name: "Redrive 5" })).toBeTruthy();
    expect((screen.getByRole("checkbox") as HTMLInputElement).checked).toBe(false);
    await userEvent.selectOptions(screen.getByLabelText("Do"), "discard");
    expect(await screen.findByRole("button", { name: "Discard 7" })).toBeTruthy();
    expect(screen.queryByRole("checkbox")).toBeNull();
    expect(kinds).toEqual(["redrive", "discard"]);
  });

  test("nothing to act on cannot be started; a refusal is shown and the form stays", async () => {
    let count = 0;
    answering(({ path }) =>
      path.endsWith("/preview")
        ? { body: preview({ count }) }
        : { status: 409, body: { detail: "100 operations run already", code: "CONFLICT" } },
    );
    const first = show(<OperationForm wanted={wanted} close={() => undefined} />);
    const none = await screen.findByRole("button", { name: "Redrive 0" });
    expect((none as HTMLButtonElement).disabled).toBe(true);
    first.unmount();
    count = 3;
    show(<OperationForm wanted={wanted} close={() => undefined} />);
    await userEvent.type(await screen.findByLabelText(/Reason/), "again");
    await userEvent.click(await screen.findByRole("button", { name: "Redrive 3" }));
    expect(await screen.findByText("100 operations run already")).toBeTruthy();
  });
});

function open(one: Shape, more: Record<string, unknown> = {}) {
  history.replaceState(null, "", links.operation(one.id));
  const asked = answering(({ path }) => {
    const found = Object.entries(more).find(([beginning]) => path.startsWith(beginning));
    if (found) return { body: found[1] };
    return path === `/v1/operations/${one.id}` ? { body: one } : { body: { items: [] } };
  });
  show(<Route path="/operations/:id" component={Operation} />);
  return asked;
}

describe("one operation", () => {
  test("shows the gate while the canary is out, and can be stopped with a reason", async () => {
    const gate = {
      size: 20,
      delivered: 12,
      failed: 0,
      lower_bound: 0.45,
      bound: 0.8,
      since: CUT_OFF,
    };
    const canary = { size: 20, bound: 0.8, patience_seconds: 900 };
    const one = operation({ stage: "gate", gate, canary, expected: 500, changed: 20, waiting: 8 });
    const asked = open(one, { [`/v1/operations/${one.id}/pause`]: { ...one, state: "paused" } });
    expect(await screen.findByText(/surely \(95 %\) above 45.0 %, 80 % is asked/)).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Pause" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "they called");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Pause" }));
    await waitFor(() => expect(asked.some((sent) => sent.method === "POST")).toBe(true));
    const sent = asked.find((each) => each.method === "POST");
    expect(sent?.headers.get("if-match")).toBe(`"${one.tag}"`);
    expect(sent?.body).toEqual({ reason: "they called" });
  });

  test("says why it stopped and what was skipped for what", async () => {
    open(
      operation({
        state: "paused",
        why: "9 of the last 10 redriven failed again",
        skipped: 4,
        skips: { PREDECESSOR: 3, CHANGED: 1 },
      }),
    );
    expect(await screen.findByText(/9 of the last 10/)).toBeTruthy();
    expect(screen.getByText(/the step before it has not succeeded/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Resume" })).toBeTruthy();
  });

  test("a discard can be undone only until its time is over", async () => {
    const ended = { kind: "discard" as const, state: "completed" as const, changed: 5 };
    open(operation({ ...ended, undo_until: new Date(Date.now() + 60_000).toISOString() }));
    expect(await screen.findByText(/can be undone/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Undo" })).toBeTruthy();
  });

  test("a discard whose time is over has no undo", async () => {
    open(operation({ kind: "discard", state: "completed", changed: 5, undo_until: CUT_OFF }));
    expect(await screen.findByText("its undo is over")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Undo" })).toBeNull();
  });

  test("lists results by what became of them, and keeps that in the address", async () => {
    const at = CUT_OFF;
    const all = [
      { delivery_id: id(2), outcome: "skipped", reason: "GONE", revision: 1, at },
      { delivery_id: id(1), outcome: "delivered", reason: "", revision: 1, at },
    ];
    history.replaceState(null, "", links.operation(operation().id));
    const asked = answering(({ path }) => {
      if (!path.includes("/results")) return { body: operation() };
      const wanted = new URL(path, "http://x").searchParams.get("outcome");
      const items = all.filter((one) => !wanted || wanted.split(",").includes(one.outcome));
      return { body: { items, next_cursor: null } };
    });
    show(<Route path="/operations/:id" component={Operation} />);
    const table = await screen.findByRole("table", { name: "Results" });
    expect(table.querySelectorAll("tbody tr")).toHaveLength(2);
    fireEvent.click(screen.getByRole("button", { name: "Skipped" }));
    await waitFor(() => expect(table.querySelectorAll("tbody tr")).toHaveLength(1));
    expect(new URL(location.href).searchParams.get("outcome")).toBe("skipped,kept");
    expect(asked.some(({ path }) => path.includes("outcome=skipped%2Ckept"))).toBe(true);
    fireEvent.click(screen.getByRole("button", { name: "Failed" }));
    expect(await screen.findByText("None of these")).toBeTruthy();
  });

  test("exports every page of results as lines of JSON", async () => {
    const one = operation();
    let saved: Blob | null = null;
    URL.createObjectURL = vi.fn((blob: Blob) => {
      saved = blob;
      return "blob:x";
    }) as typeof URL.createObjectURL;
    URL.revokeObjectURL = vi.fn();
    HTMLAnchorElement.prototype.click = vi.fn();
    const line = (number: number) => ({
      delivery_id: `dlv_${number}`,
      outcome: "delivered",
      reason: "",
      revision: 3,
      at: CUT_OFF,
    });
    history.replaceState(null, "", links.operation(one.id));
    answering(({ path }) => {
      if (!path.includes("/results"))
        return { body: path.includes("/audit") ? { items: [] } : one };
      if (!path.includes("limit=1000")) return { body: { items: [] } };
      if (path.includes("cursor=dlv_2")) return { body: { items: [line(1)], next_cursor: null } };
      return { body: { items: [line(3), line(2)], next_cursor: "dlv_2" } };
    });
    show(<Route path="/operations/:id" component={Operation} />);
    await userEvent.click(await screen.findByRole("button", { name: "Export results" }));
    await waitFor(() => expect(saved).not.toBeNull());
    const text = await (saved as unknown as Blob).text();
    const ids = text
      .trim()
      .split("\n")
      .map((each) => JSON.parse(each).delivery_id);
    expect(ids).toEqual(["dlv_3", "dlv_2", "dlv_1"]);
  });
});

describe("the list", () => {
  test("what runs stands first, also when it is older than the page", async () => {
    const old = operation({ id: `opr_${"0".repeat(32)}`, expected: 9 });
    const ended = operation({ state: "completed", ended_at: CUT_OFF, changed: 3, delivered: 3 });
    answering(({ path }) =>
      path.includes("active=true") ? { body: { items: [old] } } : { body: { items: [ended] } },
    );
    show(<Operations />);
    expect(await screen.findByText("Redrive of 9 deliveries")).toBeTruthy();
    const table = screen.getByRole("table");
    expect(within(table).getByText("completed")).toBeTruthy();
  });

  test("none yet says how to start one", async () => {
    answering(() => ({ body: { items: [], next_cursor: null } }));
    show(<Operations />);
    expect(await screen.findByText("Nobody has started one yet")).toBeTruthy();
  });
});

function Page() {
  const [asked, setAsked] = useState<Wanted | null>(null);
  return (
    <>
      <button type="button" onClick={() => setAsked({ ...wanted, kinds: ["redrive"] })}>
        Act
      </button>
      <OperationForm wanted={asked} close={() => setAsked(null)} />
    </>
  );
}

test("a form that is opened again counts again", async () => {
  let count = 5;
  const asked = answering(({ path }) =>
    path.endsWith("/preview") ? { body: preview({ count }) } : { body: operation() },
  );
  show(<Page />);
  await userEvent.click(screen.getByText("Act"));
  expect(await screen.findByRole("button", { name: "Redrive 5" })).toBeTruthy();
  fireEvent.keyDown(document.body, { key: "Escape" });
  await userEvent.keyboard("{Escape}");
  await waitFor(() => expect(screen.queryByRole("button", { name: "Redrive 5" })).toBeNull());
  count = 9;
  await userEvent.click(screen.getByText("Act"));
  expect(await screen.findByRole("button", { name: "Redrive 9" })).toBeTruthy();
  expect(asked.filter((one) => one.path.endsWith("/preview"))).toHaveLength(2);
});
