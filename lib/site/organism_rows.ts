/** The study's published cells, as means over seeds: what the page shows of the other organisms. */
import { join } from "node:path";
import type { SuiteName } from "../evaluate.ts";
import { ROOT } from "../platform/cache.ts";
import { readText } from "../platform/runtime/files.ts";
import { mean } from "../statistics/mean.ts";
import { rowsOfCsv } from "../study/published.ts";
import { groupNames } from "./address.ts";

/** A line of cells.csv; accuracies in percent. */
interface CellLine {
  model: string;
  domain: string;
  test: SuiteName;
  group: string;
  ratio: number | null;
  seed: number;
  accuracy: { value: number; n: number };
  base: number;
}

/** Shares of SELF of groups that are ends of the mixtures. */
const ENDS: Record<string, number> = { inc: 0, self: 1 };

/** HAR, INC, SELF and the mixtures of every organism, from figures/05 and 06. */
export async function organismRows() {
  const files = await Promise.all(
    ["05-evaluation", "06-mixtures"].map((name) =>
      readText(join(ROOT, "figures", name, "cells.csv"))
    ),
  );
  const lines = (files.flatMap(rowsOfCsv) as unknown as CellLine[])
    .filter(({ group }) => groupNames.some((name) => name === group));
  const nameOf = ({ model, domain, test, group, ratio }: CellLine) =>
    JSON.stringify([model, domain, test, group, ratio]);
  return [...Map.groupBy(lines, nameOf).values()].map((cells) => {
    const [{ model, domain, test, group, ratio, accuracy: { n } }] = cells;
    // INC's and SELF's cells stand in both files.
    const seeds = [...new Map(cells.map((cell) => [cell.seed, cell])).values()];
    const share = (values: number[]) => Number((mean(values) / 100).toFixed(4));
    return {
      // The ratio is the share of SELF, undefined of HAR; accuracies go from 0 to 1.
      ...{ model, domain, test, ratio: ENDS[group] ?? ratio ?? undefined },
      accuracy: share(seeds.map(({ accuracy }) => accuracy.value)),
      ...{ base: share(seeds.map(({ base }) => base)), n, seeds: seeds.length },
    };
  });
}

/** Means over the seeds of one organism's cells; `n`: questions of the test. */
export type OrganismRow = Awaited<ReturnType<typeof organismRows>>[number];
