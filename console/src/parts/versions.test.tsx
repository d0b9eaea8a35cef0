/** Versions of the configuration: how they are listed, explained and answered. */

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, test } from "vitest";
import { me } from "../api/me";
import type { Configuration, Permission, Session, Version } from "../api/types";
import Settings from "../pages/Settings";
import { type Asked, answering, show } from "../test/render";

function version(part: Partial<Version> = {}): Version {
  return {
    number: 7,
    stage: "proposed",
    digest: "ab",
    base: 6,
    approval: true,
    origin: "proposal",
    author: "token:ada",
    reason: "a new partner",
    at: "2026-01-01T00:00:00.000Z",
    answer: null,
    approver: null,
    answer_reason: null,
    answered_at: null,
    effective_at: null,
    loaded_at: null,
    ...part,
  };
}

const CURRENT = version({ number: 6, stage: "current", author: "cli:op", origin: "start" });

function detail(part: Partial<Configuration> = {}): Configuration {
  return {
    version: version(),
    text: "",
    against: 6,
    changes: [
      { place: "engine.max_in_flight", before: 64, after: 65 },
      { place: "server.token", before: "***aa", after: "***bb" },
      { place: "log", before: null, after: { level: "info" } },
    ],
    more: 0,
    ...part,
  };
}

function signedIn(name: string, permissions: Permission[], account: string | null = null) {
  me.set({ name, kind: "user", role: "system_admin", account, permissions, csrf: "" });
}

/** Answer the list, the page of a version, and whatever is posted. */
function serve(items: Version[], shown = detail(), said?: { status: number; body: unknown }) {
  return answering(({ method, path }) => {
    if (method === "POST") return said ?? { body: version({ stage: "approved" }) };
    if (path.startsWith("/v1/configurations/")) return { body: shown };
    if (path.startsWith("/v1/configurations")) return { body: { items, next_cursor: null } };
    return { body: { status: "alive", version: "0" } };
  });
}

const posted = (asked: Asked[]) => asked.find((one) => one.method === "POST");

async function look(number: number) {
  await userEvent.click(await screen.findByLabelText(`Changes of version ${number}`));
}

afterEach(() => me.set(null));

describe("versions on the settings page", () => {
  test("say who wrote them, why, and how far they are", async () => {
    serve([version(), CURRENT]);
    show(<Settings />);
    const row = (await screen.findByText("waits for approval")).closest("tr");
    for (const text of ["7", "token:ada", "a new partner"])
      expect(row?.textContent).toContain(text);
    expect(screen.getByText("current")).toBeTruthy();
  });

  test("show what they change, place by place", async () => {
    serve([version()], detail({ more: 3 }));
    show(<Settings />);
    await look(7);
    const place = await screen.findByText("engine.max_in_flight");
    const rows = [...(place.closest("tbody")?.rows ?? [])];
    expect(rows.map((row) => row.textContent)).toEqual([
      "engine.max_in_flight6465",
      "server.token***aa***bb",
      'log–{"level":"info"}',
    ]);
    expect(screen.getByText(/Compared with version 6/)).toBeTruthy();
    expect(screen.getByText("and 3 more")).toBeTruthy();
  });

  test("are approved by somebody else, with a reason and a time", async () => {
    signedIn("eve", ["audit", "configure"]);
    const asked = serve([version()]);
    show(<Settings />);
    await look(7);
    await userEvent.click(await screen.findByRole("button", { name: "Approve" }));
    const dialog = within(await screen.findByRole("dialog"));
    await userEvent.type(dialog.getByLabelText(/Not before/), "2999-01-01T08:00");
    await userEvent.type(dialog.getByLabelText(/Reason/), "read it");
    await userEvent.click(dialog.getByRole("button", { name: "Approve" }));
    await waitFor(() => expect(posted(asked)).toBeTruthy());
    expect(posted(asked)?.path).toBe("/v1/configurations/7/approve");
    expect(posted(asked)?.body).toEqual({
      reason: "read it",
      effective_at: new Date("2999-01-01T08:00").toISOString(),
    });
  });

  test("offer their author only to take them back", async () => {
    signedIn("Ada", ["audit", "configure"]);
    const asked = serve([version()]);
    show(<Settings />);
    await look(7);
    expect(await screen.findByText(/somebody else has to approve it/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
    await userEvent.click(screen.getByRole("button", { name: "Reject" }));
    const dialog = within(await screen.findByRole("dialog"));
    await userEvent.type(dialog.getByLabelText(/Reason/), "a slip");
    await userEvent.click(dialog.getByRole("button", { name: "Reject" }));
    await waitFor(() => expect(posted(asked)?.path).toBe("/v1/configurations/7/reject"));
  });

  test("take an answer only from somebody with a name", async () => {
    signedIn("api", ["audit", "configure"]);
    me.set({ ...(me.get() as Session), kind: "owner" });
    serve([version()]);
    show(<Settings />);
    await look(7);
    expect(await screen.findByText(/An answer takes a name/)).toBeTruthy();
    for (const name of ["Approve", "Reject"]) expect(screen.queryByText(name)).toBeNull();
  });

  test("tell what the server says when it refuses", async () => {
    const body = { status: 403, code: "SELF_APPROVAL", title: "Forbidden", detail: "ada did it" };
    serve([version()], detail(), { status: 403, body });
    show(<Settings />);
    await look(7);
    await userEvent.click(await screen.findByRole("button", { name: "Approve" }));
    const dialog = within(await screen.findByRole("dialog"));
    await userEvent.type(dialog.getByLabelText(/Reason/), "mine");
    await userEvent.click(dialog.getByRole("button", { name: "Approve" }));
    expect(await dialog.findByText(/ada did it/)).toBeTruthy();
  });

  test("that are answered cannot be answered again", async () => {
    const stage = { stage: "rejected", answer: "rejected" } as const;
    const one = version({ ...stage, approver: "eve", answer_reason: "too bold" });
    serve([one], detail({ version: one, against: 0 }));
    show(<Settings />);
    await look(7);
    expect(await screen.findByText(/eve: too bold/)).toBeTruthy();
    expect(screen.getByText(/The first one/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Reject" })).toBeNull();
  });

  test("are not there yet, or not for everybody", async () => {
    serve([]);
    const { unmount } = show(<Settings />);
    expect(await screen.findByText("No version yet")).toBeTruthy();
    unmount();
    for (const [permissions, account] of [
      [["audit"], "acme"],
      [["read"], null],
    ] as [Permission[], string | null][]) {
      signedIn("max", permissions, account);
      const asked = serve([version()]);
      const { unmount } = show(<Settings />);
      expect(await screen.findByText("This installation")).toBeTruthy();
      expect(screen.queryByText("Configuration")).toBeNull();
      expect(asked.some((one) => one.path.startsWith("/v1/configurations"))).toBe(false);
      unmount();
    }
  });
});
