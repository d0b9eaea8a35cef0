/** The review queue: whose it is, and what a person does with one delivery of it. */

import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { Route } from "wouter";
import { links } from "../app/links";
import { prefs } from "../app/prefs";
import { type Asked, answering, delivery, id, lane, show } from "../test/render";
import Review from "./Review";
import ReviewItem from "./ReviewItem";

const asking = (path: string, name: string) => new URL(path, "http://x").searchParams.get(name);
const queue = (numbers: number[]) => ({
  items: numbers.map((number) => delivery({ id: id(number) })),
  next_cursor: null,
  dead: 40,
  unassigned: 30,
  assignees: [{ assignee: "bob", count: 10, value: 100, oldest: id(1) }],
  groups: [],
});

describe("the queue", () => {
  test("is anybody's, mine, nobody's or of one who holds some", async () => {
    prefs.set({ actor: "ada" });
    const asked = answering(() => ({ body: queue([3, 2, 1]) }));
    show(<Review />);
    expect(await screen.findByText(/40 deliveries in review: 30 nobody's, 10 with 1/)).toBeTruthy();
    for (const [name, wanted] of [
      ["Mine (ada)", "ada"],
      ["Nobody's", "nobody"],
      ["bob", "bob"],
    ] as const) {
      await userEvent.click(screen.getByRole("button", { name }));
      await waitFor(() =>
        expect(asked.some((one) => asking(one.path, "assignee") === wanted)).toBe(true),
      );
    }
  });

  test("opens the row under the keyboard", async () => {
    answering(() => ({ body: queue([3, 2, 1]) }));
    show(<Review />);
    await screen.findByText(/40 deliveries/);
    await userEvent.keyboard("jj{Enter}");
    expect(location.pathname).toBe(links.review(id(2)));
  });
});

const TEXT = '{"payload":{"zip":"1011","n":10000000000000001,"iban":"***"},"masked":["/iban"]}';

function open(part: (asked: Asked) => { status?: number; body: unknown } | null = () => null) {
  history.replaceState(null, "", links.review(id(2)));
  const asked = answering((one) => {
    const own = part(one);
    if (own) return own;
    if (one.path.endsWith("/lineage"))
      return { body: { ancestors: [], children: [], changes: null } };
    if (one.path.endsWith("/payload")) return { body: JSON.parse(TEXT) };
    if (one.path.startsWith("/v1/review")) return { body: queue([3, 2, 1]) };
    const [, asked] = /^\/v1\/deliveries\/(dlv_\w+)$/.exec(one.path) ?? [];
    if (asked) return { body: delivery({ id: asked, revision: 7 }) };
    if (one.path.startsWith("/v1/recipients/")) return { body: lane() };
    if (one.path.startsWith("/v1/flows/")) return { body: { name: "leads", steps: [] } };
    return { body: { items: [] } };
  });
  const fetched = globalThis.fetch;
  // The API's own text: a number that no double can hold.
  globalThis.fetch = async (input, init) => {
    const answer = await fetched(input, init);
    const url = input instanceof Request ? input.url : String(input);
    return url.endsWith("/payload") ? new Response(TEXT, answer) : answer;
  };
  show(<Route path="/review/:id" component={ReviewItem} />);
  return asked;
}

async function revealed() {
  await userEvent.click(await screen.findByRole("button", { name: "Show and edit" }));
  await userEvent.type(await screen.findByLabelText(/Reason/), "to mend it");
  const dialog = within(screen.getByRole("dialog"));
  await userEvent.click(dialog.getByRole("button", { name: "Show" }));
  return (await screen.findByLabelText("Payload as JSON")) as HTMLTextAreaElement;
}

describe("one delivery", () => {
  test("its payload is shown for a reason, edited, compared, and sent without losing a digit", async () => {
    const child = delivery({ id: id(9), status: "pending", parent: id(2) });
    const asked = open(({ path }) =>
      path.endsWith("/edit") ? { body: { parent: delivery(), child, changes: [] } } : null,
    );
    const field = await revealed();
    expect(field.value).toContain("10000000000000001");
    const send = screen.getByRole("button", { name: "Send edited" }) as HTMLButtonElement;
    expect(send.disabled).toBe(true);
    fireEvent.change(field, { target: { value: field.value.replace('"1011"', '"1011') } });
    expect(await screen.findByText(/line 2, column 10/)).toBeTruthy();
    expect(send.disabled).toBe(true);
    const mended = '{"zip": "1011 AB", "n": 10000000000000001, "iban": "***"}';
    fireEvent.change(field, { target: { value: mended } });
    const row = (await screen.findByText("zip")).closest("tr");
    expect(row?.textContent).toBe('zip"1011""1011 AB"');
    await userEvent.click(send);
    await userEvent.type(await screen.findByLabelText(/Reason/), "they moved");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Send edited" }));
    await waitFor(() => expect(location.pathname).toBe(links.delivery(id(9))));
    const sent = asked.find((one) => one.path.endsWith("/edit"));
    expect(sent?.headers.get("if-match")).toBe('"7"');
    expect(sent?.text).toBe(`{"reason":"they moved","payload":${mended}}`);
  });

  test("somebody was faster: the edit is refused, and what changed is shown", async () => {
    const now = delivery({ id: id(2), revision: 8, status: "pending", generation: 1 });
    open(({ path }) =>
      path.endsWith("/edit")
        ? { status: 412, body: { detail: "stale", code: "STALE", current: now } }
        : null,
    );
    const field = await revealed();
    fireEvent.change(field, { target: { value: "{}" } });
    await userEvent.click(screen.getByRole("button", { name: "Send edited" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "they moved");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Send edited" }));
    const told = await dialog.findByRole("alert");
    expect(told.textContent).toContain("Nothing was done");
    expect(told.textContent).toContain("pending");
    expect(dialog.queryByRole("button", { name: /Send edited/ })).toBeNull();
  });

  test("is marked delivered with proof", async () => {
    const asked = open(({ path }) => (path.endsWith("/prove") ? { body: delivery() } : null));
    await userEvent.click(await screen.findByRole("button", { name: "Mark delivered" }));
    await userEvent.type(await screen.findByLabelText("Their reference"), "A-17");
    await userEvent.type(screen.getByLabelText("What was seen"), "their mail of today");
    await userEvent.type(screen.getByLabelText(/Reason/), "they have it");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Mark delivered" }));
    await waitFor(() => expect(asked.some((one) => one.path.endsWith("/prove"))).toBe(true));
    expect(asked.find((one) => one.path.endsWith("/prove"))?.body).toEqual({
      reason: "they have it",
      reference: "A-17",
      proof: "their mail of today",
    });
  });

  test("j and k go through the queue", async () => {
    open();
    await screen.findByRole("link", { name: "older (j)" });
    await userEvent.keyboard("j");
    await waitFor(() => expect(location.pathname).toBe(links.review(id(1))));
    await userEvent.keyboard("k");
    await waitFor(() => expect(location.pathname).toBe(links.review(id(2))));
    await userEvent.keyboard("k");
    await waitFor(() => expect(location.pathname).toBe(links.review(id(3))));
  });
});
