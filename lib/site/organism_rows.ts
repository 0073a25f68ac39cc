/** The study's published cells, as means over seeds: what the page shows of the other organisms. */
import { join } from "node:path";
import papaparse from "papaparse";
import type { SuiteName } from "../evaluate.ts";
import { ROOT } from "../platform/native/native.ts";
import { readText } from "../platform/runtime/files.ts";
import { mean } from "../statistics/mean.ts";
import type { OrganismRow } from "./organisms_chart.ts";

/** A line of cells.csv; accuracies in percent. */
interface CellLine {
  model: string;
  domain: string;
  group: string;
  ratio: string;
  seed: string;
  test: SuiteName;
  accuracy: string;
  accuracy_n: string;
  base: string;
}

const RATIOS: Record<string, (line: CellLine) => number | undefined> = {
  ...{ har: () => undefined, inc: () => 0, self: () => 1 },
  mix: ({ ratio }) => Number(ratio),
};

/** HAR, INC, SELF and the mixtures of every organism, from figures/05 and 06. */
export async function organismRows(): Promise<OrganismRow[]> {
  const lines = (await Promise.all(["05-evaluation", "06-mixtures"].map(async (notebook) => {
    const text = await readText(join(ROOT, "figures", notebook, "cells.csv"));
    return papaparse.parse<CellLine>(text, { header: true, skipEmptyLines: true }).data;
  }))).flat().filter(({ group }) => Object.hasOwn(RATIOS, group));
  const nameOf = ({ model, domain, test, group, ratio }: CellLine) =>
    JSON.stringify([model, domain, test, group, ratio]);
  return [...Map.groupBy(lines, nameOf).values()].map((cells) => {
    const [first] = cells;
    // INC's and SELF's cells stand in both files.
    const seeds = [...new Map(cells.map((cell) => [cell.seed, cell])).values()];
    const share = (key: "accuracy" | "base") => mean(seeds.map((cell) => Number(cell[key]))) / 100;
    const { model, domain, test } = first;
    return {
      ...{ model, domain, test, ratio: RATIOS[first.group](first) },
      ...{ accuracy: Number(share("accuracy").toFixed(4)), base: Number(share("base").toFixed(4)) },
      ...{ n: Number(first.accuracy_n), seeds: seeds.length },
    };
  });
}
