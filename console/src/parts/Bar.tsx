/** A share of something, as a bar; the number stands beside it. */

const HIGH = 0.9;

export function Bar({ value }: { value: number }) {
  const width = `${Math.min(1, Math.max(0, value)) * 100}%`;
  return (
    <div className={value >= HIGH ? "bar-frame high" : "bar-frame"} aria-hidden="true">
      <div className="bar-value" style={{ width }} />
    </div>
  );
}
