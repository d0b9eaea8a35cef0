/** The client: what becomes of a session that was replaced in another tab. */

import { expect, test } from "vitest";
import { answering } from "../test/render";
import { client, Refusal, unwrap } from "./client";
import { me } from "./me";

const ADA = {
  name: "ada",
  kind: "user" as const,
  role: "operator" as const,
  account: null,
  permissions: [],
};

test("a change after somebody signed in anew elsewhere is refused once, not for ever", async () => {
  me.set({ ...ADA, csrf: "old" });
  const asked = answering(({ method, headers }) => {
    if (method === "GET") return { body: { ...ADA, name: "bob", csrf: "new" } };
    if (headers.get("Holdfast-Csrf") === "new") return { body: {} };
    return { status: 403, body: { title: "CSRF", status: 403, code: "CSRF", detail: "no" } };
  });
  const pause = () =>
    unwrap(
      client.POST("/v1/recipients/{recipient}/pause", {
        params: { path: { recipient: "acme" } },
        body: { reason: "because" },
      }),
    );
  await expect(pause()).rejects.toThrow(Refusal);
  expect(me.get()?.name).toBe("bob"); // the page says who it is now
  await pause();
  expect(asked.map((one) => one.method)).toEqual(["POST", "GET", "POST"]);
});
