import { expect, test, vi } from "vitest";
import { background } from "./presence";

test("a page that nobody touches says so after a minute", () => {
  vi.useFakeTimers();
  dispatchEvent(new Event("keydown"));
  expect(background()).toEqual({});
  vi.advanceTimersByTime(61_000);
  expect(background()).toEqual({ "Holdfast-Background": "1" });
  dispatchEvent(new Event("pointerdown"));
  expect(background()).toEqual({});
  vi.useRealTimers();
});
