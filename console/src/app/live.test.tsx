/** The stream: what is told is asked anew, not too often, and never in a hidden tab. */

import { useQuery } from "@tanstack/react-query";
import { act, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Batch } from "../logic/batch";
import { split } from "../logic/sse";
import { touched } from "../logic/touched";
import { show } from "../test/render";
import { useLive, useLiveControl } from "./live";

afterEach(() => vi.useRealTimers());

test("events are whole whatever the pieces; beats and ids are none", () => {
  const text =
    'retry: 2000\r\nid: 7\nevent: hello\ndata: {"a":\ndata: 1}\n\n: beat\n\nevent: x\ndata: 1';
  for (const size of [1, 3, 1000]) {
    let left = "";
    const heard = [];
    for (let at = 0; at < text.length; at += size) {
      const found = split(left, text.slice(at, at + size));
      left = found.left;
      heard.push(...found.said);
    }
    expect(heard).toEqual([{ event: "hello", data: '{"a":\n1}' }]);
    expect(left).toBe("event: x\ndata: 1");
  }
  expect(() => split("", "x".repeat(2_000_000))).toThrow("no end");
});

test("a word makes old what it names", () => {
  const word = { changed: [{ id: "dlv_1", outcome: null }], more: false };
  const old = touched({ event: "deliveries", data: JSON.stringify(word) });
  expect(old.fast).toEqual([["deliveries", "dlv_1"]]);
  expect(old.slow).toContainEqual(["audit"]);
  expect(touched({ event: "reset", data: "{}" }).fast).toEqual([[]]);
  expect(touched({ event: "end", data: "{}" })).toEqual({ fast: [], slow: [] });
});

test("a batch is handed on at once when it was calm, then not more often than its pace", () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const handed: [number[], boolean][] = [];
  const batch = new Batch<number>(1000, 3, (held, full) => handed.push([held, full]));
  batch.add([1]);
  vi.advanceTimersByTime(1);
  expect(handed).toEqual([[[1], false]]);
  for (const number of [2, 3, 4, 5, 6, 7]) batch.add([number]);
  vi.advanceTimersByTime(990);
  expect(handed).toHaveLength(1);
  vi.advanceTimersByTime(10);
  expect(handed).toEqual([
    [[1], false],
    [[2, 3, 4, 5], true],
  ]);
  batch.add([8]);
  batch.close();
  vi.advanceTimersByTime(5000);
  expect(handed).toHaveLength(2);
});

describe("a page", () => {
  let asked = 0;

  function Page() {
    const { streaming } = useLiveControl();
    const every = useLive(2000);
    useQuery({ queryKey: ["recipients"], queryFn: async () => (asked += 1) });
    return <p>{`${streaming ? "hears" : "asks"} ${every}`}</p>;
  }

  /** A server whose stream a test writes; each connection is listed. */
  function streaming() {
    const open: { signal: AbortSignal; say: (text: string) => void; end: () => void }[] = [];
    globalThis.fetch = async (_input, init) => {
      let write: ReadableStreamDefaultController<Uint8Array> | undefined;
      const body = new ReadableStream<Uint8Array>({ start: (made) => (write = made) });
      const signal = init?.signal ?? new AbortController().signal;
      signal.addEventListener("abort", () => write?.error(signal.reason));
      const bytes = new TextEncoder();
      open.push({
        signal,
        say: (text) => write?.enqueue(bytes.encode(text)),
        end: () => write?.close(),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    };
    return open;
  }

  const visibility = (state: DocumentVisibilityState) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  };

  test("hears, asks anew what is told, and asks by itself again when the stream ends", async () => {
    asked = 0;
    const open = streaming();
    show(<Page />);
    await screen.findByText("asks 2000");
    await waitFor(() => expect(open).toHaveLength(1));
    open[0]?.say('event: hello\ndata: {"position": 1}\n\n');
    await screen.findByText("hears 15000");
    await waitFor(() => expect(asked).toBe(2));
    open[0]?.say('event: lanes\ndata: {"changed": []}\n\n');
    await waitFor(() => expect(asked).toBe(3), { timeout: 5000 });
    open[0]?.end();
    await screen.findByText("asks 2000");
  });

  test("holds no connection while nobody looks", async () => {
    const open = streaming();
    show(<Page />);
    await waitFor(() => expect(open).toHaveLength(1));
    act(() => visibility("hidden"));
    await waitFor(() => expect(open[0]?.signal.aborted).toBe(true));
    expect(open).toHaveLength(1);
    act(() => visibility("visible"));
    await waitFor(() => expect(open).toHaveLength(2));
  });

  test("does without where there is no stream", async () => {
    globalThis.fetch = async () => new Response("{}", { status: 404 });
    show(<Page />);
    expect(await screen.findByText("asks 2000")).toBeTruthy();
  });
});
