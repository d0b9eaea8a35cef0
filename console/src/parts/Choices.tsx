/** A row of exclusive buttons. */

interface Props {
  label: string;
  /** Value and word. */
  choices: readonly (readonly [string, string])[];
  value: string;
  choose: (value: string) => void;
  /** The label is only for those who do not see that it is one. */
  quiet?: boolean;
}

export function Choices({ label, choices, value, choose, quiet = false }: Props) {
  return (
    <fieldset className="choices">
      <legend className={quiet ? "sr-only" : undefined}>{label}</legend>
      {choices.map(([one, word]) => (
        <button key={one} type="button" aria-pressed={value === one} onClick={() => choose(one)}>
          {word}
        </button>
      ))}
    </fieldset>
  );
}
