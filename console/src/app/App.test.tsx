/** The frame around all pages. */

import { screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { show } from "../test/render";
import { Caught } from "./App";

afterEach(() => vi.restoreAllMocks());

function Broken(): never {
  throw new Error("the file of the page is gone");
}

test("a page that broke leaves the others alone", () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const pages = (at: string) => (
    <Caught at={at}>{at === "/flows" ? <Broken /> : "All lanes"}</Caught>
  );
  const { rerender } = show(pages("/flows"));
  expect(screen.getByText(/the file of the page is gone/)).toBeTruthy();
  rerender(pages("/lanes"));
  expect(screen.getByText("All lanes")).toBeTruthy();
});
