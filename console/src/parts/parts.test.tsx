/** The parts that people act with: dialogs, lists, states. */

import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import { App } from "../app/App";
import { prefs } from "../app/prefs";
import Deliveries from "../pages/Deliveries";
import { deliveryActs } from "../pages/deliveryActs";
import {
  answering,
  CUT_OFF,
  delivery,
  event,
  id,
  lane,
  operation,
  preview,
  show,
} from "../test/render";
import { ActDialog } from "./ActDialog";
import { Gates } from "./Gates";
import { Plot } from "./Plot";
import { Timeline } from "./Timeline";

describe("the dialog of an action", () => {
  const act = (run: (reason: string) => Promise<unknown>) => ({
    verb: "Redrive",
    what: "dlv_1",
    consequence: "It returns to its lane.",
    done: "Returned",
    run,
  });

  test("asks for a reason and does nothing without one", async () => {
    const run = vi.fn(async () => undefined);
    show(<ActDialog act={act(run)} close={() => undefined} />);
    await userEvent.click(await screen.findByRole("button", { name: "Redrive" }));
    expect(await screen.findByText(/Say why/)).toBeTruthy();
    expect(run).not.toHaveBeenCalled();
  });

  test("shows what the API said when it refused, and stays", async () => {
    const close = vi.fn();
    show(<ActDialog act={act(() => Promise.reject(new Error("it is delivered")))} close={close} />);
    await userEvent.type(await screen.findByLabelText(/Reason/), "again");
    await userEvent.click(screen.getByRole("button", { name: "Redrive" }));
    expect(await screen.findByText("it is delivered")).toBeTruthy();
    expect(close).not.toHaveBeenCalled();
  });

  test("somebody was faster: shows who and what, keeps the reason, and lets decide again", async () => {
    const seen = delivery({ revision: 3 });
    const now = delivery({ revision: 5, reason: "Postal code" });
    const asked = answering(({ method, path, headers }) => {
      if (path.startsWith("/v1/audit")) {
        const note = { at: "2026-01-01T00:00:09.000Z", actor: "bob", action: "undo" };
        return { body: { items: [{ ...note, subject: seen.id, reason: "by mistake" }] } };
      }
      if (path.startsWith("/v1/flows/")) return { body: { name: "leads", steps: [] } };
      if (method !== "POST") return { body: now };
      if (headers.get("if-match") === `"${now.revision}"`) return { body: now };
      return { status: 412, body: { detail: "stale", code: "STALE", current: now } };
    });
    const close = vi.fn();
    show(<ActDialog act={deliveryActs(seen).Redrive ?? null} close={close} />);
    await userEvent.type(await screen.findByLabelText(/Reason/), "mended");
    await userEvent.click(screen.getByRole("button", { name: "Redrive" }));
    const told = await screen.findByRole("alert");
    expect(told.textContent).toContain("Nothing was done");
    expect(told.textContent).toContain("Postal code");
    expect((await screen.findByText("bob")).parentElement?.textContent).toContain("by mistake");
    await userEvent.click(screen.getByRole("button", { name: "Redrive all the same" }));
    await waitFor(() => expect(close).toHaveBeenCalled());
    const sent = asked.filter((one) => one.method === "POST");
    expect(sent.map((one) => one.headers.get("if-match"))).toEqual(['"3"', '"5"']);
    expect(sent[1]?.body).toEqual({ reason: "mended" });
  });

  test("what is not possible any more has no button", async () => {
    const current = delivery({ revision: 5, status: "delivered", code: null });
    answering(({ method }) =>
      method === "POST"
        ? { status: 412, body: { detail: "stale", code: "STALE", current } }
        : { body: { items: [] } },
    );
    show(<ActDialog act={deliveryActs(delivery()).Discard ?? null} close={() => undefined} />);
    await userEvent.type(await screen.findByLabelText(/Reason/), "no use");
    await userEvent.click(screen.getByRole("button", { name: "Discard" }));
    expect(await screen.findByText(/Discard is not possible any more/)).toBeTruthy();
    expect(screen.getAllByRole("button").map((one) => one.textContent)).not.toContain("Discard");
  });

  test("sends the trimmed reason and closes", async () => {
    const run = vi.fn(async () => undefined);
    const close = vi.fn();
    show(<ActDialog act={act(run)} close={close} />);
    await userEvent.type(await screen.findByLabelText(/Reason/), "  mended  ");
    await userEvent.click(screen.getByRole("button", { name: "Redrive" }));
    await waitFor(() => expect(close).toHaveBeenCalled());
    expect(run).toHaveBeenCalledWith("mended", {});
  });
});

test("gates are listed in order; one without a time says so", () => {
  show(
    <Gates
      gates={[
        { gate: "paused", reason: "they asked" },
        { gate: "backoff", until: "2020-01-01T00:00:00Z" },
      ]}
    />,
  );
  const items = screen.getAllByRole("listitem").map((item) => item.textContent);
  expect(items[0]).toContain("Paused by a person");
  expect(items[0]).toContain("not by time alone");
  expect(items[1]).toContain("opens now");
});

test("a plot says its newest values to those who cannot see it", () => {
  show(
    <Plot
      title="Tries"
      times={[0, 5000]}
      series={[{ name: "good", tone: "ok", values: [1, 2] }]}
      show={(value) => `${value}/s`}
    />,
  );
  expect(screen.getByRole("img").getAttribute("aria-label")).toBe("Tries: good 2/s now");
});

test("the newest try is open, and holds between tries are told", () => {
  show(
    <Timeline
      events={[
        event({ position: 1 }),
        event({ position: 2, attempt_number: 1, retry_timestamp: "2026-01-01T00:01:01.000Z" }),
      ]}
    />,
  );
  expect(screen.getByText(/1 min later/).textContent).toContain("2.0 s planned, 58 s held");
  const open = screen.getAllByRole("button", { expanded: true });
  expect(open).toHaveLength(1);
});

describe("the list of deliveries", () => {
  const items = [3, 2, 1].map((number) =>
    delivery({ id: id(number), status: number === 3 ? "pending" : "dead" }),
  );
  const reply = ({ path }: { path: string }): { status?: number; body: unknown } => {
    if (path.startsWith("/v1/deliveries?")) return { body: { items, next_cursor: null } };
    if (path.startsWith("/v1/deliveries/count")) return { body: { count: 3, at_least: false } };
    if (path === "/v1/recipients") return { body: { items: [lane()], next_cursor: null } };
    if (path === "/v1/flows") return { body: { items: [], next_cursor: null } };
    if (path === "/v1/operations/preview") return { body: preview({ count: 2 }) };
    if (path.startsWith("/v1/operations")) return { body: operation() };
    return { body: delivery({ status: "pending" }) };
  };
  const asking = (path: string, name: string) => new URL(path, "http://x").searchParams.get(name);
  const at = (q: string) =>
    history.replaceState(null, "", `/deliveries?${new URLSearchParams({ q })}`);

  test("the address holds the query; list and count ask the same one", async () => {
    at("status:dead recipient:acme");
    const asked = answering(reply);
    show(<Deliveries />);
    await screen.findByText("3 deliveries match");
    for (const route of ["/v1/deliveries?", "/v1/deliveries/count?"]) {
      const found = asked.find((one) => one.path.startsWith(route));
      expect(asking(found?.path ?? "", "q")).toBe("status:dead recipient:acme");
    }
    await userEvent.click(screen.getByRole("button", { name: "Delivered" }));
    expect(asking(location.href, "q")).toBe("status:delivered recipient:acme");
    await waitFor(() =>
      expect((screen.getByRole("combobox") as HTMLInputElement).value).toBe(
        "status:delivered recipient:acme",
      ),
    );
  });

  test("without a query none is asked for: an empty one is refused", async () => {
    at("");
    const asked = answering(reply);
    show(<Deliveries />);
    await screen.findByText("3 deliveries match");
    const lists = asked.filter((one) => one.path.startsWith("/v1/deliveries"));
    expect(lists.map((one) => asking(one.path, "q"))).toEqual(lists.map(() => null));
  });

  test("completes with arrows and asks for what was chosen", async () => {
    at("");
    answering(reply);
    show(<Deliveries />);
    await screen.findByText("3 deliveries match");
    await userEvent.type(screen.getByRole("combobox"), "rec{ArrowDown}{Enter}");
    expect(asking(location.href, "q")).toBe("");
    await userEvent.keyboard("a{ArrowDown}{Enter}");
    expect(asking(location.href, "q")).toBe("recipient:acme");
  });

  test("shows what the server does not understand at its place", async () => {
    at("status:daed x");
    answering((asked) =>
      asked.path.startsWith("/v1/deliveries")
        ? {
            status: 422,
            body: {
              detail: "wrong",
              code: "INVALID_QUERY",
              position: 8,
              qualifier: "status",
              value: "daed",
              allowed: "pending, dead",
            },
          }
        : reply(asked),
    );
    show(<Deliveries />);
    const told = await screen.findByRole("alert");
    expect(told.querySelector("mark")?.textContent).toBe("daed");
    expect(told.textContent).toContain("Allowed: pending, dead");
    expect(screen.getByRole("combobox").getAttribute("aria-invalid")).toBe("true");
  });

  test("goes on from a short page, and says at least when the count is not exact", async () => {
    at("timeout");
    const asked = answering((one) => {
      if (one.path.startsWith("/v1/deliveries/count")) {
        return { body: { count: 2, at_least: true } };
      }
      if (!one.path.startsWith("/v1/deliveries?")) return reply(one);
      const cursor = asking(one.path, "cursor");
      if (cursor === null) return { body: { items: [], next_cursor: "further" } };
      return { body: { items: items.slice(0, 2), next_cursor: null } };
    });
    show(<Deliveries />);
    expect(await screen.findByText("at least 2 deliveries match")).toBeTruthy();
    expect(await screen.findAllByRole("checkbox", { name: /Mark dlv/ })).toHaveLength(2);
    const lists = asked.filter((one) => one.path.startsWith("/v1/deliveries?"));
    expect(lists.map((one) => asking(one.path, "cursor"))).toEqual([null, "further"]);
  });

  test("nothing seen is not nothing there: it can look further back", async () => {
    at("timeout");
    let looks = 0;
    answering((one) => {
      if (!one.path.startsWith("/v1/deliveries?")) return reply(one);
      looks += 1;
      return { body: { items: [], next_cursor: `after ${looks}` } };
    });
    show(<Deliveries />);
    const further = await screen.findByRole("button", { name: "Look further back" });
    expect(looks).toBe(5);
    await userEvent.click(further);
    await waitFor(() => expect(looks).toBe(10));
  });

  test("keys mark rows, and only those that can take an action get it", async () => {
    prefs.set({ actor: "ada" });
    const asked = answering(reply);
    show(<Deliveries />);
    await screen.findByText("3 deliveries match");
    await userEvent.keyboard("jxjjX");
    const bar = screen.getByRole("toolbar");
    expect(within(bar).getByText("3 marked")).toBeTruthy();
    await userEvent.click(within(bar).getByRole("button", { name: "Redrive 2" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "postal codes are new");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(await dialog.findByRole("button", { name: "Redrive 2" }));
    expect(await dialog.findByText("0 of 2")).toBeTruthy();
    const [sent] = asked.filter((one) => one.path === "/v1/operations");
    expect(sent?.body).toMatchObject({ kind: "redrive", ids: [id(2), id(1)], cut_off: CUT_OFF });
    expect(sent?.body).toMatchObject({ reason: "postal codes are new" });
    expect(sent?.headers.get("holdfast-actor")).toBe("ada");
  });

  test("the report of an action on many stays when its rows have left the list", async () => {
    at("status:dead");
    let gone = false;
    answering((one) => {
      if (one.path === "/v1/operations") gone = true;
      if (gone && one.path.startsWith("/v1/deliveries?")) {
        return { body: { items: [], next_cursor: null } };
      }
      if (gone && one.path.startsWith("/v1/operations/opr_")) {
        return { body: operation({ state: "completed", changed: 2, delivered: 2, remaining: 0 }) };
      }
      return reply(one);
    });
    show(<Deliveries />);
    await screen.findByText("3 deliveries match");
    await userEvent.keyboard("jjxjx");
    await userEvent.click(await screen.findByRole("button", { name: "Redrive" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "again");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(await dialog.findByRole("button", { name: "Redrive 2" }));
    expect(await dialog.findByText("2 of 2")).toBeTruthy();
    await waitFor(() => expect(screen.queryByRole("toolbar")).toBeNull());
    expect(await screen.findByText("Nothing is in review")).toBeTruthy();
    expect(screen.getByRole("dialog").textContent).toContain("completed");
    await userEvent.click(dialog.getByRole("button", { name: "Close" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  test("nothing in review is good news", async () => {
    at("status:dead");
    answering((asked) =>
      asked.path.startsWith("/v1/deliveries?") ? { body: { items: [] } } : reply(asked),
    );
    show(<Deliveries />);
    expect(await screen.findByText("Nothing is in review")).toBeTruthy();
  });
});

describe("the application", () => {
  test("asks for a token when the API wants one, and tells a wrong one", async () => {
    answering(() => ({
      status: 401,
      body: { detail: "the bearer token is missing", code: "UNAUTHORIZED" },
    }));
    render(<App />);
    await userEvent.click(await screen.findByText("Token"));
    const field = await screen.findByLabelText(/Token/, { selector: "input[type=password]" });
    await userEvent.type(field, "wrong");
    await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await screen.findByText("This token is not accepted.")).toBeTruthy();
    expect(sessionStorage.length).toBe(0);
  });

  test("says since when what is shown is old", async () => {
    answering(() => ({ status: 503, body: { detail: "no", code: "STORE" } }));
    render(<App />);
    expect(await screen.findByText(/No good answer/)).toBeTruthy();
  });
});
