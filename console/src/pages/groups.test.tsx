/** Failure groups: how they are listed, explained and acted on. */

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { Route } from "wouter";
import { links } from "../app/links";
import { prefs } from "../app/prefs";
import {
  answering,
  CUT_OFF,
  GROUP,
  groupDetail,
  groupLine,
  operation,
  preview,
  show,
} from "../test/render";
import Group from "./Group";
import Groups from "./Groups";

const page = (items: unknown[], next: string | null = null) => ({
  items,
  next_cursor: next,
  since: CUT_OFF,
  bucket_ms: 3_600_000,
  at_least: false,
});
const asking = (path: string, name: string) => new URL(path, "http://x").searchParams.get(name);

describe("the list", () => {
  test("says what fails, where, how many, worth what and how it stands", async () => {
    answering(() => ({
      body: page([
        groupLine({
          status: "regressed",
          owner: "ada",
          nature: "permanent",
          recovered: 2,
          lost: 7,
        }),
      ]),
    }));
    show(<Groups />);
    const row = (await screen.findByText("postal code # is unknown")).closest("tr");
    for (const text of [
      "business",
      "acme",
      "120",
      "2,460",
      "2 of 9",
      "came back",
      "ada",
      "judged permanent",
    ]) {
      expect(row?.textContent).toContain(text);
    }
    const spark = within(row as HTMLElement).getByRole("img");
    expect(spark.getAttribute("aria-label")).toBe("6 failed tries in 3 h, at most 4 in 1 h");
    expect(screen.getByText("postal code # is unknown").getAttribute("href")).toBe(
      links.group(GROUP),
    );
  });

  test("groups by something else, keeps that in the address, and leads to a search", async () => {
    const asked = answering(({ path }) => ({
      body: page([
        asking(path, "by") === "recipient"
          ? groupLine({ key: "acme", id: null, groups: 4, template: null, q: "group:a,b" })
          : groupLine(),
      ]),
    }));
    show(<Groups />);
    await userEvent.click(await screen.findByRole("button", { name: "Recipient" }));
    expect(asking(location.href, "by")).toBe("recipient");
    expect(await screen.findByText("4 groups")).toBeTruthy();
    const title = screen.getByRole("link", { name: "acme" });
    expect(title.getAttribute("href")).toBe(links.search("group:a,b"));
    await userEvent.click(screen.getByRole("button", { name: "Resolved" }));
    await waitFor(() =>
      expect(asked.some((one) => asking(one.path, "status") === "resolved")).toBe(true),
    );
  });

  test("goes on to the next page by rank", async () => {
    answering(({ path }) => ({
      body: asking(path, "cursor")
        ? page([groupLine({ key: "b", template: "second" })])
        : page([groupLine()], "50"),
    }));
    show(<Groups />);
    await userEvent.click(await screen.findByRole("button", { name: "More" }));
    expect(await screen.findByText("second")).toBeTruthy();
    expect(screen.getByText("postal code # is unknown")).toBeTruthy();
  });

  test("nothing that fails is good news", async () => {
    answering(() => ({ body: page([]) }));
    show(<Groups />);
    expect(await screen.findByText("Nothing fails")).toBeTruthy();
  });
});

describe("one group", () => {
  function open(detail = groupDetail()) {
    history.replaceState(null, "", links.group(GROUP));
    const asked = answering(({ method, path }) => {
      if (path.endsWith("/preview")) return { body: preview({ count: 120 }) };
      if (path.startsWith("/v1/operations")) return { body: operation({ expected: 120 }) };
      if (method === "POST") return { body: detail.group };
      return { body: path.startsWith("/v1/groups/") ? detail : { items: [] } };
    });
    show(<Route path="/groups/:id" component={Group} />);
    return asked;
  }

  test("explains itself and opens the operation on just its dead", async () => {
    const asked = open();
    expect(await screen.findByText(/The same class, code/)).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Redrive 120" }));
    const canary = (await screen.findByRole("checkbox")) as HTMLInputElement;
    await waitFor(() => expect(canary.checked).toBe(true));
    await userEvent.type(screen.getByLabelText(/Reason/), "they know the code now");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Redrive 120" }));
    expect(await dialog.findByText("0 of 120")).toBeTruthy();
    const sent = asked.find((one) => one.path === "/v1/operations");
    expect(sent?.body).toMatchObject({ q: `status:dead group:${GROUP}`, canary: { size: 20 } });
  });

  test("is given to somebody, as it was seen", async () => {
    prefs.set({ actor: "ada" });
    const asked = open();
    await userEvent.click(await screen.findByRole("button", { name: "Assign" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "I look at it");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Assign" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    const sent = asked.find((one) => one.method === "POST");
    expect(sent?.path).toBe(`/v1/groups/${GROUP}/assign`);
    expect(sent?.body).toEqual({ reason: "I look at it", owner: "ada" });
    expect(sent?.headers.get("if-match")).toBe('"2"');
  });

  test("is ignored until so many failures; what is resolved can be reopened", async () => {
    const asked = open();
    await userEvent.click(await screen.findByRole("button", { name: "Ignore" }));
    await userEvent.type(await screen.findByLabelText(/further failures/), "100");
    await userEvent.type(screen.getByLabelText(/Reason/), "known");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Ignore" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      reason: "known",
      failures: 100,
    });
  });

  test("what is resolved can be reopened and not resolved again", async () => {
    open(groupDetail({ status: "resolved", changed_by: "bob", why: "mended" }));
    expect(await screen.findByRole("button", { name: "Reopen" })).toBeTruthy();
    expect(screen.getByText(/bob: mended/)).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Resolve" })).toBeNull();
  });

  test("is judged permanent, and nothing is sent before something is chosen", async () => {
    const asked = open();
    await userEvent.click(await screen.findByRole("button", { name: "Judge" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "they closed the account");
    const dialog = within(screen.getByRole("dialog"));
    expect(
      dialog.getByRole("button", { name: "As the rules say" }).getAttribute("aria-pressed"),
    ).toBe("true");
    await userEvent.click(dialog.getByRole("button", { name: "Judge" }));
    expect(await dialog.findByText("Choose something else than it is now.")).toBeTruthy();
    expect(asked.some((one) => one.method === "POST")).toBe(false);
    await userEvent.click(dialog.getByRole("button", { name: "Permanent" }));
    await userEvent.click(dialog.getByRole("button", { name: "Judge" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    const sent = asked.find((one) => one.method === "POST");
    expect(sent?.path).toBe(`/v1/groups/${GROUP}/judge`);
    expect(sent?.body).toEqual({ reason: "they closed the account", nature: "permanent" });
    expect(sent?.headers.get("if-match")).toBe('"2"');
  });

  test("shows its cause and whether it came back, and takes another cause", async () => {
    const asked = open(groupDetail({ resolutions: 2, regressions: 1 }));
    expect(await screen.findByText("cause: business, as its class suggests")).toBeTruthy();
    expect(screen.getByText("resolved 2 times, came back 1 time")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Cause" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "their disk");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "Cause" }));
    expect(await dialog.findByText("Choose something else than it is now.")).toBeTruthy();
    await userEvent.selectOptions(dialog.getByLabelText("What lies behind it"), "Performance");
    await userEvent.click(dialog.getByRole("button", { name: "Cause" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    const sent = asked.find((one) => one.method === "POST");
    expect(sent?.path).toBe(`/v1/groups/${GROUP}/attribute`);
    expect(sent?.body).toEqual({ reason: "their disk", cause: "performance" });
  });

  test("says what became of what failed so, unless somebody judged it", async () => {
    const detail = groupDetail();
    const line = { ...detail.line, recovered: 9, lost: 1, presumed: "temporary" as const };
    open({ ...detail, line });
    expect(await screen.findByText("Recovered, of 10")).toBeTruthy();
    expect(screen.getByText("90.0 %")).toBeTruthy();
    expect(screen.getByText("looks temporary")).toBeTruthy();
  });

  test("takes back what was said of its cause", async () => {
    const asked = open(groupDetail({ cause: "security", caused_by: "bob" }));
    expect(await screen.findByText("cause: security, by the word of bob")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Cause" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "it was not");
    const dialog = within(screen.getByRole("dialog"));
    const choice = dialog.getByLabelText("What lies behind it");
    await userEvent.selectOptions(choice, "As its class suggests");
    await userEvent.click(dialog.getByRole("button", { name: "Cause" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      reason: "it was not",
      cause: null,
    });
  });

  test("shows by whose word it is permanent, and takes that back", async () => {
    const asked = open(groupDetail({ nature: "permanent", judged_by: "bob" }));
    expect(await screen.findByText("permanent by the word of bob")).toBeTruthy();
    await userEvent.click(screen.getByRole("button", { name: "Judge" }));
    await userEvent.type(await screen.findByLabelText(/Reason/), "open again");
    const dialog = within(screen.getByRole("dialog"));
    await userEvent.click(dialog.getByRole("button", { name: "As the rules say" }));
    await userEvent.click(dialog.getByRole("button", { name: "Judge" }));
    await waitFor(() => expect(asked.some((one) => one.method === "POST")).toBe(true));
    expect(asked.find((one) => one.method === "POST")?.body).toEqual({
      reason: "open again",
      nature: null,
    });
  });
});
