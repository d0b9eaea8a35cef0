/** The head of a page: one heading, which takes the focus when the page changes. */

import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  title: string;
  /** What the title does not say: state, id, facts. */
  children?: ReactNode;
  actions?: ReactNode;
  /** Where one came from, above the title. */
  up?: ReactNode;
}

let visited = false;

export function PageHead({ title, children, actions, up }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
  useEffect(() => {
    if (visited) heading.current?.focus({ preventScroll: true });
    visited = true;
    window.scrollTo(0, 0);
  }, []);
  return (
    <header className="page-head">
      {up && <p className="up">{up}</p>}
      <div className="page-title">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions && <div className="actions">{actions}</div>}
      </div>
      {children && <div className="page-sub">{children}</div>}
    </header>
  );
}
