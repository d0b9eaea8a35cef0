/** Searches in a field: where terms lie, what may stand at the caret, where an error is. */

import { describe, expect, test } from "vitest";
import { links } from "../app/links";
import { accept, complete, FIXED, QUALIFIERS } from "./complete";
import { endOf, only, placeOf, query, quoted, terms, withWord } from "./query";

const KNOWN = { recipient: ["acme", "acid", "two words"] };
const texts = (text: string, caret = text.length) =>
  complete(text, caret, KNOWN).map((one) => one.text);

describe("terms", () => {
  test("lie where they stand, with quotation, negation and several words", () => {
    const text = '-status:dead,pending  "tax \\"id" /email:a@b';
    expect(
      terms(text).map((term) => [
        text.slice(term.start, term.end),
        term.qualifier,
        term.negated,
        term.words.map((word) => word.text),
      ]),
    ).toEqual([
      ["-status:dead,pending", "status", true, ["dead", "pending"]],
      ['"tax \\"id"', null, false, ['tax "id']],
      ["/email:a@b", "/email", false, ["a@b"]],
    ]);
  });

  test.each(['"', "-", ":", "status:", 'a"b', ",", '"\\', "status:a,,b", '""x'])(
    "an unfinished %j ends",
    (text) => {
      const found = terms(text);
      expect(found.at(-1)?.end).toBe(text.length);
    },
  );
});

describe("one predicate", () => {
  test("a filter is a word of the query, and takes the place of what was said", () => {
    expect(withWord("recipient:acme", "status", "dead")).toBe("status:dead recipient:acme");
    expect(withWord("status:dead -status:pending x", "status", "")).toBe("x");
    expect(only("status:dead x", "status")).toBe("dead");
    expect(only("status:dead,pending", "status")).toBe("");
    expect(only("-status:dead", "status")).toBe("");
  });

  test("names with spaces and quotation marks stay one word", () => {
    expect(quoted('a "b" c')).toBe('"a \\"b\\" c"');
    const [term] = terms(query({ recipient: 'a "b", c' }));
    expect(term?.words.map((word) => word.text)).toEqual(['a "b", c']);
    expect(links.deliveries({ status: "dead", recipient: "a&b" })).toBe(
      "/deliveries?q=status%3Adead+recipient%3Aa%26b",
    );
  });
});

describe("completion", () => {
  test("begins with qualifiers, without those that were said", () => {
    expect(texts("")).toContain("status:");
    expect(texts("status:dead ")).not.toContain("status:");
    expect(texts("status:dead -")).toContain("-status:");
    expect(texts("re")).toEqual(["recipient:"]);
  });

  test("then gives words that are known, the beginning before the middle", () => {
    expect(texts("status:de")).toEqual(["delivered", "dead", "discarded"]);
    expect(texts("recipient:ac")).toEqual(["acme", "acid"]);
    expect(texts("recipient:acme,")).toEqual(["acid", '"two words"']);
    expect(texts("nothing:")).toEqual([]);
    expect(texts('"inside re')).toEqual([]);
  });

  test("replaces the word under the caret and leaves the rest", () => {
    const text = "status:pe recipient:acme";
    const [chosen] = complete(text, 9, KNOWN);
    expect(chosen && accept(text, chosen)).toEqual({
      text: "status:pending recipient:acme",
      caret: 14,
    });
  });

  test("knows no word of a qualifier that does not exist", () => {
    for (const name of Object.keys(FIXED)) expect(Object.keys(QUALIFIERS)).toContain(name);
  });
});

test("a place counts characters as the server does, and its word is found", () => {
  const text = '"\u{1F600}" status:daed x';
  const start = placeOf(text, 12);
  expect(text.slice(start, endOf(text, start))).toBe("daed");
  expect(endOf("ab", 2)).toBe(2);
});
