/** One field for searches: completes qualifiers and known words, and shows what is wrong where. */

import { Button } from "@mantine/core";
import { type FormEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { Refusal } from "../api/client";
import { useKeys } from "../app/keys";
import { accept, complete, type Known, type Suggestion } from "../logic/complete";
import { endOf, placeOf } from "../logic/query";

interface Props {
  /** The query that is asked; what is typed becomes one with Enter. */
  value: string;
  ask: (query: string) => void;
  known: Known;
  error: Error | null;
}

export function QueryField({ value, ask, known, error }: Props) {
  const [text, setText] = useState(value);
  const [caret, setCaret] = useState(value.length);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  const wanted = useRef<number | null>(null);
  const id = useId();
  useEffect(() => setText(value), [value]);
  useKeys({ "/": () => field.current?.focus() });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the caret follows the new text
  useEffect(() => {
    if (wanted.current !== null) field.current?.setSelectionRange(wanted.current, wanted.current);
    wanted.current = null;
  }, [text]);
  const found = open ? complete(text, caret, known) : [];

  function type(next: string, at: number) {
    setText(next);
    setCaret(at);
    setOpen(true);
    setActive(-1);
  }

  function choose(one: Suggestion) {
    const edited = accept(text, one);
    wanted.current = edited.caret;
    type(edited.text, edited.caret);
    field.current?.focus();
    if (one.whole) {
      setOpen(false);
      ask(edited.text.trim());
    }
  }

  function pressed(event: KeyboardEvent) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const one = found[active];
    if (step !== undefined) {
      event.preventDefault();
      setOpen(true);
      setActive((before) => Math.max(-1, Math.min(found.length - 1, before + step)));
    } else if (event.key === "Escape") {
      if (open) event.stopPropagation();
      setOpen(false);
    } else if (one && (event.key === "Enter" || event.key === "Tab")) {
      event.preventDefault();
      choose(one);
    }
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setOpen(false);
    ask(text.trim());
  }

  return (
    <form className="query" onSubmit={submit}>
      <label htmlFor={id}>Search</label>
      <div className="query-line">
        <div className="query-box">
          <input
            ref={field}
            id={id}
            className="mono"
            role="combobox"
            aria-autocomplete="list"
            aria-expanded={found.length > 0}
            aria-controls={`${id}-list`}
            aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
            aria-invalid={error !== null}
            aria-describedby={error ? `${id}-error` : undefined}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            maxLength={2000}
            placeholder='status:dead recipient:acme age:<1h "part of the reason"'
            value={text}
            onChange={(event) => {
              const { value: typed, selectionStart } = event.currentTarget;
              type(typed, selectionStart ?? typed.length);
            }}
            onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
            onClick={() => setOpen(true)}
            onBlur={() => setOpen(false)}
            onKeyDown={pressed}
          />
          <Suggestions id={id} found={found} active={active} choose={choose} />
        </div>
        <Button type="submit" size="xs" variant={text.trim() === value ? "default" : "filled"}>
          Search
        </Button>
        {value && (
          <Button size="xs" variant="default" onClick={() => ask("")}>
            Clear
          </Button>
        )}
      </div>
      {error && <Wrong id={`${id}-error`} query={value} error={error} />}
    </form>
  );
}

interface ListProps {
  id: string;
  found: Suggestion[];
  active: number;
  choose: (one: Suggestion) => void;
}

function Suggestions({ id, found, active, choose }: ListProps) {
  return (
    <div
      id={`${id}-list`}
      role="listbox"
      aria-label="What may stand here"
      hidden={found.length === 0}
      className="suggestions"
    >
      {found.map((one, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
        // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus
        <div
          key={one.text}
          id={`${id}-${index}`}
          role="option"
          aria-selected={index === active}
          className={index === active ? "active" : undefined}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => choose(one)}
        >
          <code>{one.text}</code>
          {one.says && <span className="muted">{one.says}</span>}
        </div>
      ))}
    </div>
  );
}

/** The query with the place that the server points at, and what may stand there. */
function Wrong({ id, query, error }: { id: string; query: string; error: Error }) {
  const problem = error instanceof Refusal ? error.problem : null;
  if (!problem?.position) {
    return (
      <p id={id} className="query-wrong" role="alert">
        {error.message}
      </p>
    );
  }
  const start = Math.min(placeOf(query, problem.position), query.length);
  const end = endOf(query, start);
  return (
    <div id={id} className="query-wrong" role="alert">
      <code>
        {query.slice(0, start)}
        <mark>{query.slice(start, end) || "…"}</mark>
        {query.slice(end)}
      </code>
      <p>
        <b>{problem.qualifier}</b>: {String(problem.value)} is not possible here. Allowed:{" "}
        {problem.allowed}
      </p>
    </div>
  );
}
