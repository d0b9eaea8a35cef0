/** A frame around a table; when the table is wider, the keyboard can scroll it. */

import { type ReactNode, useEffect, useRef, useState } from "react";

export function Scroll({ label, children }: { label: string; children: ReactNode }) {
  const frame = useRef<HTMLElement>(null);
  const [wider, setWider] = useState(false);
  useEffect(() => {
    const found = frame.current;
    if (!found || typeof ResizeObserver === "undefined") return;
    const measure = () => setWider(found.scrollWidth > found.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(found);
    for (const child of found.children) observer.observe(child);
    return () => observer.disconnect();
  }, []);
  return (
    <section
      ref={frame}
      className="table-wrap"
      aria-label={wider ? `${label}, table` : undefined}
      tabIndex={wider ? 0 : undefined}
    >
      {children}
    </section>
  );
}
