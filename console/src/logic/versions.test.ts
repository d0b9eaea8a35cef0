/** How versions of the configuration are told. */

import { describe, expect, test } from "vitest";
import { isAuthor, valueText } from "./versions";

describe("values", () => {
  test("are short text; what is not there is a dash", () => {
    expect([null, undefined, "a", 1, true, ["x"], { a: 1 }].map(valueText)).toEqual([
      "–",
      "–",
      "a",
      "1",
      "true",
      '["x"]',
      '{"a":1}',
    ]);
  });
});

describe("the author", () => {
  test("is the same person with a token, and in other letters", () => {
    expect(isAuthor("token:Ada", "ada")).toBe(true);
    expect(isAuthor("ada", "ada")).toBe(true);
    expect(isAuthor("eve", "ada")).toBe(false);
    expect(isAuthor("ada", undefined)).toBe(false);
  });
});
