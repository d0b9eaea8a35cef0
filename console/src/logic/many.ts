/** The same action on several deliveries, one after the other, with what the API refused. */

export interface Result {
  done: number;
  refused: { id: string; why: string }[];
}

export async function each(
  ids: string[],
  run: (id: string) => Promise<unknown>,
  progress: (result: Result) => void,
): Promise<Result> {
  const result: Result = { done: 0, refused: [] };
  for (const id of ids) {
    try {
      await run(id);
      result.done += 1;
    } catch (error) {
      result.refused.push({ id, why: error instanceof Error ? error.message : String(error) });
    }
    progress({ done: result.done, refused: [...result.refused] });
  }
  return result;
}
