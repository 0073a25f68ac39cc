/** When so many rows can't be read that a file is likely read wrongly, and a run stops. */
import type { RejectedRow } from "./_rows.ts";

/** Share of the rows that may be set aside where none is stated; in a short file a few always may. */
const [MOST, FEW] = [0.1, 5];

/**
 * @throws where more rows of what was read `from` are set aside than the share `most` of them, or where
 *   none is left; with the commonest reason and its first row
 */
export function checkRejected(
  { questions, rejected, rows }: {
    questions: readonly unknown[];
    rejected: readonly RejectedRow[];
    rows: number;
  },
  { from, most }: { from: string; most?: number },
): void {
  const allowed = most === undefined ? Math.max(FEW, MOST * rows) : most * rows;
  if (rejected.length <= allowed && (questions.length > 0 || rows === 0)) return;
  // The found values differ from row to row.
  const kinds = Map.groupBy(rejected, ({ reason }) => reason.replace(/; found .*/s, ""));
  const [commonest = []] = [...kinds.values()].sort((a, b) => b.length - a.length);
  const [first] = commonest;
  const why = first
    ? `; ${commonest.length} as ${first.file} line ${first.line}: ${first.reason}`
    : "";
  throw new Error(
    `Cannot read ${from}: expected at most ${Math.floor(allowed)} of ${rows} rows set aside, and ` +
      `a question left; found ${rejected.length} set aside${why}; mend the rows, or allow more by ` +
      "--max-rejected=SHARE",
  );
}
