/** Cells as anybody can read them from a `cells.csv`: the plain values of each cell and test. */
import type { Measurement } from "../../lib/figure/number.ts";
import type { SuiteName } from "../../lib/evaluate.ts";
import type { CellResult, SuiteRecord, Treatment } from "../../lib/cell.ts";
import { rowsOfCsv } from "../../lib/study/published.ts";

interface CsvRow {
  model: string;
  domain: string;
  group: Treatment;
  ratio: number | null;
  seed: number;
  test: SuiteName;
  accuracy: Measurement;
  base: number;
  kl: number;
  rank: number;
  cosine: number;
  entropy: number;
  baseEntropy: number;
  lost: number;
  gained: number;
  fit: number | null;
}

/** The rows as results, with what a csv has of them: no question by itself. */
export function cellsOfCsv(text: string): CellResult[] {
  const rows = rowsOfCsv(text) as unknown as CsvRow[];
  const cells = Map.groupBy(
    rows,
    ({ model, domain, group, ratio, seed }) => JSON.stringify([model, domain, group, ratio, seed]),
  );
  return [...cells.values()].map((tests): CellResult => {
    const [{ model, domain, group: treatment, ratio, seed, fit }] = tests;
    return {
      cell: { model, domain, treatment, seed, ...(ratio === null ? {} : { ratio }) },
      size: 0,
      sizes: {} as CellResult["sizes"],
      ...(fit === null ? {} : { fit: { n: 1, share: fit / 100 } }),
      suites: Object.fromEntries(tests.map((row) => [row.test, recordOf(row)])),
      seconds: 0,
    };
  });
}

/** Six digits of the points and n tell how many answers were right. */
const shareOf = (points: number, n: number) => Math.round(points * n / 100) / n;

function recordOf({ accuracy, base, ...row }: CsvRow): SuiteRecord {
  const { kl, rank, cosine, entropy, baseEntropy, lost, gained } = row;
  return {
    ...{ n: accuracy.n!, interval: [0, 1], correct: [], probabilities: [], items: [] },
    ...{ accuracy: shareOf(accuracy.value, accuracy.n!), baseAccuracy: shareOf(base, accuracy.n!) },
    ...{ kl, rank, cosine, entropy, baseEntropy, lost, gained },
  };
}
