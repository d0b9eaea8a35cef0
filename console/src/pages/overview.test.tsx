/** The first page: what is new and urgent, the spool, and what an account sees of it. */

import { screen, waitFor, within } from "@testing-library/react";
import { afterEach, describe, expect, test } from "vitest";
import { me } from "../api/me";
import { links } from "../app/links";
import {
  alert,
  answering,
  critical,
  delivery,
  GROUP,
  id,
  lane,
  member,
  overview,
  show,
  spool,
  worker,
} from "../test/render";
import Overview from "./Overview";
import Workers from "./Workers";

interface Said {
  overview?: unknown;
  lanes?: unknown[];
  alerts?: unknown;
  critical?: unknown;
}

function api(said: Said = {}) {
  return answering(({ path }) => {
    if (path.startsWith("/v1/overview")) return { body: said.overview ?? overview() };
    if (path.startsWith("/v1/recipients")) return { body: { items: said.lanes ?? [lane()] } };
    if (path.startsWith("/v1/groups/alerts"))
      return { body: said.alerts ?? { items: [], since: null, at_least: false } };
    if (path.startsWith("/v1/deliveries/critical")) return { body: said.critical ?? critical() };
    return { body: { items: [] } };
  });
}

function part(title: string): HTMLElement {
  const section = screen.getByRole("heading", { name: title }).closest("section");
  return section as HTMLElement;
}

describe("new failures", () => {
  test("say what is new and what came back, where, how much, and lead to the group", async () => {
    api({
      alerts: {
        items: [
          alert({ at_least: true }),
          alert({ group: "g1_b", kind: "regressed", owner: "ada" }),
        ],
        since: null,
        at_least: true,
      },
    });
    show(<Overview />);
    const [first, second] = await waitFor(() => {
      const rows = within(part("New failures")).getAllByRole("row").slice(1);
      expect(rows).toHaveLength(2);
      return rows;
    });
    for (const text of ["new", "acme", "422", "postal code # is unknown", "15+"]) {
      expect(first?.textContent).toContain(text);
    }
    const reason = within(first as HTMLElement).getByText("postal code # is unknown");
    expect(reason.getAttribute("href")).toBe(links.group(GROUP));
    for (const text of ["came back", "ada"]) expect(second?.textContent).toContain(text);
    expect(part("New failures").textContent).toContain("there may be older ones");
  });

  test("none is good news", async () => {
    api();
    show(<Overview />);
    expect(await screen.findByText("Nothing new fails")).toBeTruthy();
  });
});

describe("critical failures", () => {
  test("tell how many at the least, from which priority on, and each is a link", async () => {
    const items = [
      delivery({ priority: 9, reason: "no such zip" }),
      delivery({ id: id(2), priority: 7, status: "pending", reason: null, code: "FULL" }),
    ];
    api({ critical: critical({ items, count: 10_000, at_least: true }) });
    show(<Overview />);
    await screen.findByText("no such zip");
    const section = part("Critical failures");
    expect(section.textContent).toContain("10,000+ of priority 7 or above");
    const [, first, second] = within(section).getAllByRole("row");
    const reason = within(first as HTMLElement).getByText("no such zip");
    expect(reason.getAttribute("href")).toBe(links.delivery(id(1)));
    for (const text of ["7", "FULL", "pending"]) expect(second?.textContent).toContain(text);
    expect(within(section).getByText("Those in review").getAttribute("href")).toBe(
      links.search("status:dead priority:>=7"),
    );
  });

  test("none says of which priority", async () => {
    api({ critical: critical({ priority: 9 }) });
    show(<Overview />);
    expect(await screen.findByText("Nothing urgent fails")).toBeTruthy();
    expect(part("Critical failures").textContent).toContain("No delivery of priority 9 is");
  });
});

describe("the spool", () => {
  const full = { on: true, messages: 1200, bytes: 134_217_728, since: "2026-01-01T00:00:00.000Z" };

  test("is told while it holds something or the store is away", async () => {
    api({ overview: overview({ workers: [worker({ spool: spool(full) })] }) });
    show(<Overview />);
    const said = await screen.findByText(/The store is away/);
    expect(said.textContent).toContain("1,200 messages wait in the spool since");
    expect(said.textContent).toContain("128 MiB of 256 MiB (50");
  });

  test("says why it takes nothing, and what stayed in it", async () => {
    const told = spool({ kept: 2, refusal: "its limit is reached" });
    api({ overview: overview({ workers: [worker({ spool: told })] }) });
    show(<Overview />);
    const said = await screen.findByText(/The spool takes nothing: its limit is reached/);
    expect(said.textContent).toContain("2 files of it could not be read or were refused");
  });

  test("is not spoken of while it is empty and ready", async () => {
    api({ overview: overview({ workers: [worker({ spool: spool() })] }) });
    show(<Overview />);
    await screen.findByText("Processor");
    expect(screen.queryByText(/spool/)).toBeNull();
  });

  test("stands among the facts of its worker, also when it is empty", async () => {
    for (const [one, word] of [
      [spool(), "nothing waits in the spool, which takes 256 MiB"],
      [spool(full), "1,200 messages wait in the spool since"],
    ] as const) {
      answering(() => ({ body: { items: [member({ load: worker({ spool: one }) })] } }));
      const { unmount } = show(<Workers />);
      const fact = (await screen.findByText("In the spool")).closest("div");
      expect(fact?.textContent).toContain(word);
      unmount();
    }
  });
});

describe("workers", () => {
  test.each([
    [[7, 5, 7, 0], "Started with versions 5, 7"],
    [[7, 7, 0], null],
  ])("that started with configurations %j", async (versions, warning) => {
    const items = versions.map((configuration, epoch) => member({ epoch, configuration }));
    answering(() => ({ body: { items } }));
    show(<Workers />);
    expect((await screen.findAllByText(/version 7 of the configuration/)).length).toBe(2);
    const said = screen.queryByText(/^Started with versions/);
    expect(said?.textContent ?? null).toBe(warning);
    if (warning) expect(screen.getByRole("link", { name: "Settings" })).toBeTruthy();
  });
});

describe("of one account", () => {
  const own = overview({
    active: 1,
    depth: 3,
    by_priority: { high: 2, normal: 1, low: 0 },
    lanes: { open: 1, closed: 1 },
    windows: [],
    workers: [],
  });

  afterEach(() => me.set(null));

  function signedIn(account: string) {
    const session = { name: "ada", kind: "user", role: "operator", permissions: [] };
    me.set({ ...session, account } as unknown as Parameters<typeof me.set>[0]);
  }

  test("its counts and lanes are shown, and what cannot be is said", async () => {
    signedIn("bolt");
    const lanes = [lane({ delivered: 75, dead: 2, created: 100, pending: 23 })];
    api({ overview: own, lanes });
    show(<Overview />);
    await screen.findByText(/What belongs to the account bolt/);
    const figure = async (name: string) =>
      (await screen.findByText(name, { selector: "dt, dt a" })).closest(".figure")?.textContent;
    expect(await figure("Waiting")).toBe("Waiting3high 2normal 1low 0");
    await waitFor(async () => expect(await figure("Delivered")).toContain("75of all 75"));
    expect(await figure("Sending now")).toContain("that do not flow 1");
    expect(await figure("In review")).toBe("In review2lanes 1");
    for (const none of ["Tries that succeed", "Answer time", "Resources"]) {
      expect(screen.queryByText(none)).toBeNull();
    }
  });

  test("an account without recipients is told so, and not to look into a file", async () => {
    signedIn("bolt");
    api({ overview: { ...own, lanes: {} }, lanes: [] });
    show(<Overview />);
    expect(await screen.findByText("No recipient belongs to bolt")).toBeTruthy();
    expect(screen.queryByText("holdfast.toml")).toBeNull();
    expect(screen.queryByText("No recipient is configured")).toBeNull();
  });
});
