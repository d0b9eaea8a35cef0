/** A titled part of a page. */

import { type ReactNode, useId } from "react";

interface Props {
  title: string;
  /** Said beside the title, in few words. */
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}

export function Section({ title, note, actions, children, className }: Props) {
  const id = useId();
  return (
    <section className={`section ${className ?? ""}`} aria-labelledby={id}>
      <header className="section-head">
        <h2 id={id}>{title}</h2>
        {note && <p className="note">{note}</p>}
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}
