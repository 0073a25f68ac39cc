/** The study's published cells, as means over seeds: what the page shows of the other organisms. */
import { join } from "node:path";
import type { SuiteName } from "../evaluate.ts";
import { ROOT } from "../platform/native/native.ts";
import { readText } from "../platform/runtime/files.ts";
import { mean } from "../statistics/mean.ts";
import { rowsOfCsv } from "../study/published.ts";
import type { OrganismRow } from "./organisms_chart.ts";

/** A line of cells.csv; accuracies in percent. */
interface CellLine {
  model: string;
  domain: string;
  group: string;
  ratio: number | null;
  seed: number;
  test: SuiteName;
  accuracy: { value: number; n: number };
  base: number;
}

/** Shares of SELF, by group; a mixture has its own. */
const RATIOS: Record<string, number | undefined> = { har: undefined, inc: 0, self: 1, mix: NaN };

/** HAR, INC, SELF and the mixtures of every organism, from figures/05 and 06. */
export async function organismRows(): Promise<OrganismRow[]> {
  const read = async (notebook: string) =>
    rowsOfCsv(
      await readText(join(ROOT, "figures", notebook, "cells.csv")),
    ) as unknown as CellLine[];
  const lines = [...await read("05-evaluation"), ...await read("06-mixtures")]
    .filter(({ group }) => Object.hasOwn(RATIOS, group));
  const nameOf = ({ model, domain, test, group, ratio }: CellLine) =>
    JSON.stringify([model, domain, test, group, ratio]);
  return [...Map.groupBy(lines, nameOf).values()].map((cells) => {
    const { model, domain, test, group, ratio } = cells[0];
    // INC's and SELF's cells stand in both files.
    const seeds = [...new Map(cells.map((cell) => [cell.seed, cell])).values()];
    const share = (of: (cell: CellLine) => number) =>
      Number((mean(seeds.map(of)) / 100).toFixed(4));
    return {
      ...{ model, domain, test, ratio: group === "mix" ? ratio! : RATIOS[group] },
      ...{ accuracy: share((cell) => cell.accuracy.value), base: share((cell) => cell.base) },
      ...{ n: cells[0].accuracy.n, seeds: seeds.length },
    };
  });
}
