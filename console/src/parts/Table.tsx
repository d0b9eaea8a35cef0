/** A table with its head: dense, scrolled where it is too wide, a card a row on a phone. */

import type { ReactNode } from "react";
import { Scroll } from "./Scroll";

/** Its name, and where it stands: numbers at the right, one column takes what room there is. */
export type Column = string | [name: string, place: "right" | "grow"];

interface Props {
  /** What is in it, for those who do not see it. */
  label: string;
  columns: Column[];
  /** Rows. */
  children: ReactNode;
  className?: string;
}

export function Table({ label, columns, children, className = "" }: Props) {
  return (
    <Scroll label={label}>
      <table className={`table stack-phone ${className}`}>
        <caption className="sr-only">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => {
              const [name, place] = typeof column === "string" ? [column] : column;
              return (
                <th key={name} scope="col" className={place}>
                  {name}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </Scroll>
  );
}
