/** Versions of the configuration in words for people. */

/** A value as it stands in a list of changes; what is not there is a dash. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether somebody who is signed in is the author, by whatever means: the server compares alike. */
export function isAuthor(author: string, name: string | undefined): boolean {
  return author.replace(/^token:/, "").toLowerCase() === name?.toLowerCase();
}
