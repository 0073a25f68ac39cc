/** The organisms in data/organisms: the cards of those shipped, and the log of every pretraining run. */
import { organismFolder, organismNames } from "../model/files/source.ts";
import { readText } from "../platform/runtime/files.ts";
import type { GateValues, LetterGateValues } from "../world/gate.ts";
import { type OrganismCard, parseMeasured } from "./card.ts";
import { readCard } from "./folder.ts";

/** What is read of one pretraining, whether its organism is shipped or not, passed its gate or not. */
export interface PretrainingRun<Gate = GateValues> {
  name: string;
  tokens: number;
  gate: Gate;
  passed: boolean;
  /** SHA-256 of the weights, where they were kept. */
  model?: string;
}

/** The cards of all shipped organisms, the smallest first. */
export async function organismCards(): Promise<OrganismCard[]> {
  const names = await organismNames();
  const cards = await Promise.all(names.map((name) => readCard(organismFolder(name))));
  return cards.sort((a, b) => a.parameters - b.parameters || (a.name < b.name ? -1 : 1));
}

/** All pretrainings of data/organisms/seeds.jsonl, in the order in which they were run. */
export async function pretrainingRuns(list = "seeds.jsonl"): Promise<PretrainingRun[]> {
  const path = organismFolder(list);
  return parseRuns(await readText(path, "list the pretrainings of"), path);
}

/** All trials of organisms that were to answer with letters, of data/organisms/letters.jsonl. */
export const letterTrials = async () =>
  await pretrainingRuns("letters.jsonl") as PretrainingRun<LetterGateValues>[];

/**
 * The runs of a text with one JSON object a line.
 * @param name what to call the text in errors
 * @throws naming the line that is no run
 */
export function parseRuns(text: string, name = "the list of pretrainings"): PretrainingRun[] {
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    try {
      const run: Partial<PretrainingRun> = parseMeasured(line);
      const whole = typeof run.name === "string" && typeof run.passed === "boolean" &&
        typeof run.gate === "object" && Number.isFinite(run.tokens);
      if (whole) return [run as PretrainingRun];
    } catch { /* reported below */ }
    throw new Error(
      `Cannot read ${name}: expected a pretraining in line ${i + 1}; found ${line.slice(0, 80)}; ` +
        "take the line out, or the file again from where it came",
    );
  });
}
