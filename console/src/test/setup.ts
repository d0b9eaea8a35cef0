/** What the component library wants of a browser and jsdom lacks. */

import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";
import { connection } from "../api/connection";

window.matchMedia ??= (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
  }) as unknown as MediaQueryList;
window.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
Object.defineProperty(document, "fonts", { value: new EventTarget() });
Element.prototype.scrollIntoView ??= () => undefined;
window.scrollTo = vi.fn() as unknown as typeof window.scrollTo;

configure({ asyncUtilTimeout: 10_000 });

afterEach(() => {
  cleanup();
  connection.answered();
  localStorage.clear();
  sessionStorage.clear();
  history.replaceState(null, "", "/");
});
