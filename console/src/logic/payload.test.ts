/** Payloads as texts: no digit is lost, and what is wrong is told with its place. */

import { describe, expect, test } from "vitest";
import { changes, leaves, member, wrong } from "./payload";

test("numbers stay as they are written", () => {
  expect([...leaves('{"n":12345678901234567890,"p":1.10,"a":[true,{}]}')]).toEqual([
    ["n", "12345678901234567890"],
    ["p", "1.10"],
    ["a.0", "true"],
    ["a.1", "{}"],
  ]);
});

test("only what differs is told, however it is indented", () => {
  const before = '{"zip":"1011","tags":["a"],"n":10000000000000001}';
  const after = '{\n  "zip": "1011 AB",\n  "n": 10000000000000002,\n  "tags": ["a", "b"]\n}';
  expect(changes(before, after)).toEqual([
    { path: "zip", before: '"1011"', after: '"1011 AB"' },
    { path: "n", before: "10000000000000001", after: "10000000000000002" },
    { path: "tags.1", before: "–", after: '"b"' },
  ]);
  expect(changes(before, before)).toEqual([]);
});

test("a member is taken out as it stands", () => {
  const text = '{"masked":["/a"], "payload": {"payload": 1, "n": 10000000000000001 }}';
  expect(member(text, "payload")).toBe('{"payload": 1, "n": 10000000000000001 }');
  expect(member(text, "n")).toBeNull();
});

describe("what is no JSON is refused with its place", () => {
  test.each([
    ['{"a": }', "line 1, column 7: a value is expected"],
    ['{"a": 1\n "b": 2}', "line 2, column 2: } is expected"],
    ['{"a": 1,}', 'line 1, column 9: a name in "..." is expected'],
    ['{"a": 1, "a": 2}', 'line 1, column 10: "a" stands here twice'],
    ["[1, 2", "line 1, column 6: ] is expected"],
    ["01", "line 1, column 2: the value has ended before"],
    ["", "line 1, column 1: it ends too early"],
    ['"\u0001"', "line 1, column 1: a value is expected"],
    ["[".repeat(200), "line 1, column 102: nested more than 100 deep"],
  ])("%s", (text, said) => expect(wrong(text)).toBe(said));

  test.each(['{"a":[1,-0.5e3,null,"\\u00e4"]}', "  7 ", '""'])("%s is one", (text) => {
    expect(wrong(text)).toBeNull();
    expect(() => JSON.parse(text)).not.toThrow();
  });
});
