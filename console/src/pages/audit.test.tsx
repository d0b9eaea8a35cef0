/** The audit journal: its filters, its pages, and its export. */

import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, test, vi } from "vitest";
import { action, auditFilter, changed } from "../logic/audit";
import { answering, show } from "../test/render";
import Audit from "./Audit";

const line = (number: number, part: object = {}) => ({
  number,
  at: `2026-01-01T00:00:0${number}.000Z`,
  actor: "ada",
  action: "set_role",
  subject: "user:bob",
  account: "",
  reason: `reason ${number}`,
  before: { role: "viewer" },
  after: { role: "auditor" },
  detail: "",
  hash: "ab",
  ...part,
});
const asking = (path: string, name: string) => new URL(path, "http://x").searchParams.get(name);

afterEach(() => {
  history.replaceState(null, "", "/");
  vi.restoreAllMocks();
});

describe("the journal", () => {
  test("says who did what, why, and what changed", async () => {
    answering(() => ({ body: { items: [line(1)], next_cursor: null } }));
    show(<Audit />);
    const row = (await screen.findByText("reason 1")).closest("tr");
    for (const text of ["ada", "set role", "user:bob", 'role: "viewer" → "auditor"'])
      expect(row?.textContent).toContain(text);
    expect(screen.getByText("all 1 line")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Older" })).toBeNull();
  });

  test("goes on page by page, also over a page that is empty", async () => {
    const asked = answering(({ path }) => {
      const cursor = asking(path, "cursor");
      if (cursor === "9-9") return { body: { items: [line(1)], next_cursor: null } };
      const full = Array.from({ length: 100 }, (_, n) => line(2, { subject: `s${n}` }));
      return cursor === null
        ? { body: { items: full, next_cursor: "5-5" } }
        : { body: { items: [], next_cursor: "9-9" } };
    });
    show(<Audit />);
    await userEvent.click(await screen.findByRole("button", { name: "Older" }));
    expect(await screen.findByText("reason 1")).toBeTruthy();
    expect(asked.map((one) => asking(one.path, "cursor")).slice(-2)).toEqual(["5-5", "9-9"]);
    expect(screen.queryByRole("button", { name: "Older" })).toBeNull();
  });

  test("asks for what its filters say, and keeps them in the address", async () => {
    const asked = answering(() => ({ body: { items: [], next_cursor: null } }));
    show(<Audit />);
    await userEvent.type(await screen.findByLabelText("Did"), "Set role");
    expect(await screen.findByText("No line matches")).toBeTruthy();
    await waitFor(() => expect(asking(asked.at(-1)?.path ?? "", "action")).toBe("set_role"));
    expect(asking(location.href, "action")).toBe("Set role");
  });
});

describe("the export", () => {
  test("saves all that the filters mean", async () => {
    history.replaceState(null, "", "/?actor=ada&from=2026-01-01&until=2026-04-01");
    const asked = answering(() => ({ body: { items: [], next_cursor: null } }));
    URL.createObjectURL = vi.fn(() => "blob:1");
    URL.revokeObjectURL = vi.fn();
    const saved: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (
      this: HTMLAnchorElement,
    ) {
      saved.push(this.download);
    });
    show(<Audit />);
    await userEvent.click(await screen.findByRole("button", { name: "Export CSV" }));
    await waitFor(() => expect(saved).toEqual(["holdfast-audit.csv"]));
    const path = asked.find((one) => one.path.startsWith("/v1/audit/export"))?.path ?? "";
    const names = ["actor", "since", "until", "format"];
    expect(names.map((name) => asking(path, name))).toEqual([
      "ada",
      "2026-01-01T00:00:00Z",
      "2026-04-01T00:00:00Z",
      "csv",
    ]);
  });
});

test("filters mean whole days, or a span that ends now", () => {
  const now = Date.parse("2026-01-02T12:00:30Z");
  const filter = (values: Record<string, string>) => auditFilter((name) => values[name] ?? "", now);
  expect(filter({})).toEqual({});
  expect(filter({ subject: " acme ", since: "24h" })).toEqual({
    subject: "acme",
    since: "2026-01-01T12:00:00.000Z",
  });
  expect(filter({ from: "2026-01-01", since: "1h" })).toEqual({ since: "2026-01-01T00:00:00Z" });
  expect(action(" Open-Breaker ")).toBe("open_breaker");
});

test("what changed is said a field at a time", () => {
  expect(changed(null, null)).toEqual([]);
  expect(changed({ a: 1 }, { a: [2] })).toEqual(["a: 1 → [2]"]);
  expect(changed(null, { role: "viewer" })).toEqual(['role: "viewer"']);
});
