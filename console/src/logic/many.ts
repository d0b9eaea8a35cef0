/** The same action on several deliveries, one after the other, with what the API refused. */

export interface Result {
  done: number;
  refused: { id: string; why: string }[];
}

export async function each<T extends { id: string }>(
  items: T[],
  run: (item: T) => Promise<unknown>,
  say: (error: unknown) => string,
  progress: (result: Result) => void,
): Promise<Result> {
  const result: Result = { done: 0, refused: [] };
  for (const item of items) {
    try {
      await run(item);
      result.done += 1;
    } catch (error) {
      result.refused.push({ id: item.id, why: say(error) });
    }
    progress({ done: result.done, refused: [...result.refused] });
  }
  return result;
}
