/** What holds for one delivery only: what is offered, where the usual comes from, what is sent. */

import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { present, settingsOf, wrongField, wrongMore } from "../logic/policy";
import { ActDialog } from "../parts/ActDialog";
import { type Asked, answering, delivery, lane, show } from "../test/render";
import { deliveryActs } from "./deliveryActs";

const POLICY = {
  strategy: "exponential",
  max_retries: 4,
  initial_delay: 2,
  retry_on: ["418"],
  cost_stop: null,
  phases: [],
  origin: {
    strategy: "default",
    max_retries: "flow leads",
    initial_delay: "account acme",
    retry_on: "recipient acme",
    cost_stop: "default",
    phases: "default",
  },
  id: "abc",
};

function redriving() {
  const asked = answering(({ path, method }) => {
    if (method === "POST") return { body: delivery({ status: "pending" }) };
    const steps = [{ step: "to-acme", recipient: "acme", policy: POLICY, schedule: [] }];
    return { body: path.startsWith("/v1/flows") ? { name: "leads", steps } : {} };
  });
  const two = [...lane().endpoints, { ...lane().endpoints[0], name: "spare" }];
  const found = lane({ endpoints: two as ReturnType<typeof lane>["endpoints"] });
  show(<ActDialog act={deliveryActs(delivery(), found).Redrive ?? null} close={() => undefined} />);
  return asked;
}

async function posted(asked: Asked[]): Promise<Asked | undefined> {
  const found = () => asked.find((one) => one.method === "POST");
  await waitFor(() => expect(found()).toBeTruthy());
  return found();
}

describe("a redrive", () => {
  test("offers every field beside what holds without it, and sends only what was filled in", async () => {
    const asked = redriving();
    const form = within(await screen.findByRole("dialog"));
    expect(await form.findByText("Empty: 4, from flow leads.")).toBeTruthy();
    expect(form.queryByLabelText("strategy")).toBeNull();
    await userEvent.click(form.getByRole("button", { name: "Other policy fields" }));
    expect(form.getByText("Empty: 2 s, from account acme.")).toBeTruthy();
    expect(form.getByText("Empty: 418, from recipient acme.")).toBeTruthy();
    for (const [label, value] of [
      ["Endpoint", "spare"],
      ["Retries", "2"],
      ["strategy", "fixed"],
      ["initial_delay, s", "1.5"],
      ["retry_on", "404, 5xx, auth"],
      ["More of the policy, as JSON", '{"response": {"success": "ok"}}'],
      [/^Reason/, "they asked"],
    ] as const) {
      fireEvent.change(form.getByLabelText(label), { target: { value } });
    }
    await userEvent.click(form.getByRole("button", { name: "Redrive" }));
    const sent = await posted(asked);
    expect(sent?.body).toEqual({
      reason: "they asked",
      endpoint: "spare",
      policy: {
        max_retries: 2,
        strategy: "fixed",
        initial_delay: 1.5,
        retry_on: ["404", "5xx", "auth"],
        response: { success: "ok" },
      },
    });
  });

  test("with nothing filled in sends no policy; with something wrong it sends nothing", async () => {
    const asked = redriving();
    const form = within(await screen.findByRole("dialog"));
    fireEvent.change(form.getByLabelText(/^Reason/), { target: { value: "they asked" } });
    await userEvent.click(form.getByRole("button", { name: "Other policy fields" }));
    fireEvent.change(form.getByLabelText("never_retry"), { target: { value: "Foo" } });
    await userEvent.click(form.getByRole("button", { name: "Redrive" }));
    expect(await form.findByText(/^never_retry: Foo: statuses/)).toBeTruthy();
    expect(asked.some((one) => one.method === "POST")).toBe(false);
    fireEvent.change(form.getByLabelText("never_retry"), { target: { value: "" } });
    await userEvent.click(form.getByRole("button", { name: "Redrive" }));
    const sent = await posted(asked);
    expect(sent?.body).toEqual({ reason: "they asked" });
  });
});

describe("settings", () => {
  test("are checked as far as can be told here", () => {
    const kinds = { count: "max_retries", number: "multiplier", list: "retry_on" } as const;
    for (const [kind, text, wrong] of [
      ["count", "1.5", true],
      ["count", "-1", true],
      ["count", "99", false],
      ["number", "x", true],
      ["number", "0.5", false],
      ["list", "600", true],
      ["list", "5xx,, 418", false],
      ["list", "", false],
    ] as const) {
      const field = { name: kinds[kind], kind };
      expect(wrongField(field, text) !== null, `${kind} ${text}`).toBe(wrong);
    }
    expect(wrongField({ name: "jitter_ratio", kind: "number" }, "1.1")).not.toBeNull();
    for (const text of ["{", "[]", "1", "null", '{"max_retries": 1}']) {
      expect(wrongMore(text), text).not.toBeNull();
      expect(() => settingsOf({ "policy.more": text })).toThrow("More of the policy");
    }
    expect(wrongMore('{"phases": []}')).toBeNull();
    expect(settingsOf({ endpoint: "spare", "policy.jitter": "" })).toBeUndefined();
  });

  test("tell what holds in words, and nothing where nothing is known", () => {
    const policy = POLICY as unknown as Parameters<typeof present>[0];
    expect(present(policy, "cost_stop")).toBe("none, from default");
    expect(present(policy, "phases")).toBe("none, from default");
    expect(present(policy, "template")).toBeNull();
    expect(present(undefined, "max_retries")).toBeNull();
  });
});

test("a redrive says what was chosen for the delivery before, and keeps the rest of it", async () => {
  const policy = { max_retries: 4, initial_delay: 2, origin: { max_retries: "flow leads" } };
  const asked = answering(({ path, method }) => {
    if (method === "POST") return { body: delivery({ status: "pending" }) };
    const steps = [{ step: "to-acme", recipient: "acme", policy, schedule: [] }];
    return { body: path.startsWith("/v1/flows") ? { name: "leads", steps } : {} };
  });
  const [main] = lane().endpoints;
  const found = lane({ endpoints: [main, { ...main, name: "spare" }] as never });
  const one = delivery({ status: "dead", endpoint: "spare", policy: { max_retries: 1 } });
  show(<ActDialog act={deliveryActs(one, found).Redrive ?? null} close={() => undefined} />);
  const form = within(await screen.findByRole("dialog"));
  expect(await form.findByText("Empty: 1, from this delivery.")).toBeTruthy();
  const choice = form.getByLabelText("Endpoint") as HTMLSelectElement;
  expect(choice.selectedOptions[0]?.textContent).toBe("spare, as before");
  await userEvent.click(form.getByRole("button", { name: "Other policy fields" }));
  fireEvent.change(form.getByLabelText("initial_delay, s"), { target: { value: "9" } });
  fireEvent.change(form.getByLabelText(/^Reason/), { target: { value: "they asked" } });
  await userEvent.click(form.getByRole("button", { name: "Redrive" }));
  await waitFor(() => expect(asked.some((each) => each.method === "POST")).toBe(true));
  const sent = asked.find((each) => each.method === "POST");
  expect(sent?.body).toEqual({
    reason: "they asked",
    policy: { max_retries: 1, initial_delay: 9 },
  });
});
