/** What a study found, as text that its numbers write, with what a reader must know first. */
import type { ProbeAudit } from "../audit.ts";
import type { EmptyReason } from "../groups.ts";
import { type Row, unique } from "../figure/rows.ts";
import { writeStable } from "../figure/stable.ts";
import { type Table, table, type TableOptions, toCsv } from "../figure/table.ts";
import { cellName, type CellResult, ELSEWHERE } from "../cell.ts";
import { pValue } from "../statistics/p_value.ts";
import { modelLabel } from "./labels.ts";
import type { Settings } from "./settings.ts";
import { findingRecords } from "./rows.ts";
import type { Study } from "./study.ts";
import { groupName, type StudyPlan, type TunedCell } from "./plan.ts";
import { suiteLabels } from "../contrast.ts";
import { type Finding, findings } from "../findings.ts";
import { formatNumber, signed } from "../figure/number.ts";
import { middleRatioFindings, mixtureKlFindings } from "./mixture.ts";

/** What the probes show, by model. */
type Audits = ReadonlyMap<string, ProbeAudit>;

/** The models whose groups mean nothing. */
const guessers = (audits: Audits) =>
  [...audits].flatMap(([model, { meaningful }]) => meaningful ? [] : [modelLabel(model)]);

/** A line below every table that rests on a probe without knowledge; none where all show some. */
export function caveatsOf(audits: Audits): string[] {
  const names = guessers(audits).join(", ");
  const reason = `the probe of ${names} does not show knowledge, and the groups are built on it`;
  return names ? [`these numbers mean nothing: ${reason}`] : [];
}

/** The findings without their verdicts, where a probe that they rest on shows no knowledge. */
export function claimable(found: readonly Finding[], audits: Audits): Finding[] {
  if (guessers(audits).length === 0) return [...found];
  return found.map((one) => ({ ...one, verdict: "no claim" }));
}

/** All that the rule reads: its twelve hypotheses, and the two findings of the mixtures on each test. */
export function allFindings(study: Pick<Study, "bases" | "cells"> & { audits: Audits }): Finding[] {
  const { cells, audits } = study;
  const found = [...findings(cells), ...middleRatioFindings(cells), ...mixtureKlFindings(study)];
  return claimable(found, audits);
}

/** What to say where a filter left no group. */
export function emptyAdvice({ filter, message }: EmptyReason): string {
  if (filter !== "confidence") return message;
  return `${message} With --minimum-confidence=0 every answer counts as belief; that goes on at ` +
    "your own risk, for such a belief may be a guess.";
}

/** With fewer, most of a run is its warm-up. */
const FEW_STEPS = 5;

/** So many failed cells are named one by one. */
const SHOWN_CELLS = 3;

/** Nats: two batches of one epoch differ by less, also where the model gave the targets before. */
const RISEN = 1;

/** What a reader must know first; the worst comes first. */
export function studyWarnings(
  study: Pick<Study, "plans" | "cells" | "bases">,
  { audits, settings }: { audits: Audits; settings: Settings },
): string[] {
  const { cells, bases } = study, { minimumConfidence, lora, quick, limit } = settings;
  const failed = cells.filter((cell) => cell.failed !== undefined);
  const unnamed = failed.length - SHOWN_CELLS;
  const fewest = Math.min(...cells.map(({ finetuning }) => finetuning?.steps ?? Infinity));
  return [
    ...[...audits].map(([model, { meaningful, verdict }]) =>
      !meaningful && `${modelLabel(model)}: ${verdict}`
    ),
    ...study.plans.map(({ tuned }) => tuned && tunedText(tuned)),
    ...unique(cells.filter(({ empty }) => empty !== undefined).map(emptyText)),
    ...failed.slice(0, SHOWN_CELLS).map(({ cell, failed: reason }) =>
      `failed, and left out of all numbers: ${cellName(cell)}: ${reason}`
    ),
    unnamed > 0 && `failed too: ${unnamed} more of ${cells.length} cells`,
    risenText(cells),
    fewest < FEW_STEPS &&
    `the shortest fine-tuning had ${fewest === 1 ? "one step" : `${fewest} steps`}, of which the ` +
      "first has a learning rate of 0 (warm-up): hardly anything was trained; give more questions " +
      "or a smaller batch",
    (minimumConfidence ?? 0.5) < 0.5 &&
    `answers count as belief above ${minimumConfidence}, not above the paper's .5`,
    lora !== undefined &&
    `low-rank adapters (LoRA, rank ${lora}) were trained, not all weights as in the paper`,
    (quick || limit !== undefined) &&
    "a shortened run: few questions, wide intervals; its numbers mean little",
    bases.length === 1 &&
    "one model: intervals are over its questions and speak of it alone; the rule asks for several",
  ].filter((warning) => typeof warning === "string");
}

function risenText(cells: readonly CellResult[]): string | undefined {
  const risen = cells.filter(({ finetuning }) =>
    finetuning !== undefined && finetuning.lastLoss > finetuning.firstLoss + RISEN
  );
  if (risen.length === 0) return undefined;
  const [{ cell, finetuning }] = risen, { firstLoss, lastLoss } = finetuning!;
  const rise = `from ${firstLoss.toPrecision(3)} to ${lastLoss.toPrecision(3)}`;
  return `the loss rose in training in ${risen.length} of ${cells.length} cells (first ` +
    `${cellName(cell)}: ${rise}): lower the learning rate`;
}

function tunedText(tuned: readonly TunedCell[]): string {
  const trainers = new Set(tuned.map(({ manifest }) => manifest?.trainer ?? "an unnamed trainer"));
  const unchecked = tuned.filter(({ manifest }) => manifest === undefined).map(groupName);
  const unknown = "; not known whether on this run's rows, for want of a manifest: ";
  const models = tuned.length === 1 ? "1 model was" : `${tuned.length} models were`;
  return `nothing was trained here: ${models} ${ELSEWHERE}, by ${[...trainers].join(", ")}` +
    (unchecked.length > 0 ? unknown + unchecked.join(", ") : "");
}

function emptyText({ cell, sizes, empty }: CellResult): string {
  const reason = sizes.emptiedBy ? emptyAdvice(sizes.emptiedBy) : empty;
  const which = sizes.emptiedBy ? "no groups" : `no ${cell.treatment} group`;
  return `${which} for ${modelLabel(cell.model)} in ${cell.domain}: ${reason}`;
}

/** `+12.1 [+3.0, +21.2]`, and what else must be known. */
export function findingText(
  { estimate: { value, interval }, unit, detail }: Pick<Finding, "estimate" | "unit" | "detail">,
): string {
  const write = (number: number) =>
    unit === "r" ? formatNumber(number, 2) : signed(number, unit === "points" ? 1 : 2);
  const bounds = interval?.every(Number.isFinite) ? ` [${interval.map(write).join(", ")}]` : "";
  return write(value) + bounds + (detail ? ` (${detail})` : "");
}

/** Findings as people read them, without columns that hold nothing; all is in `findingRecords`. */
export function findingTable(found: readonly Finding[], options: TableOptions = {}): Table {
  const rows = findingRecords(found);
  const columns = ["finding", "test", "estimate", "unit", "detail", "n", "over", "correctedP"]
    .concat("verdict", "paper").filter((key) => rows.some((row) => row[key] !== null));
  return table(rows, { columns, ...options });
}

/** The findings in aligned columns, warnings first: what `deno task reproduce` ends with. */
export function findingsText(
  found: readonly Finding[],
  { study, warnings }: { study: Pick<Study, "plans" | "backend">; warnings: readonly string[] },
): string {
  const header = ["finding", "test", "ours [95% interval]", "n", "Holm p", "verdict", "paper"];
  const rows = found.map((finding) => [
    finding.hypothesis,
    suiteLabels[finding.suite],
    findingText({ ...finding, detail: undefined }),
    `${finding.estimate.n} ${finding.over}`,
    pValue(finding.correctedP),
    finding.verdict,
    finding.paper ?? "",
  ]);
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
  const line = (cells: string[]) =>
    cells.map((cell, i) => cell.padEnd(widths[i])).join("  ").trim();
  return [
    ...warnings.map((warning) => `WARNING: ${warning}`),
    ...(warnings.length > 0 ? [""] : []),
    "Differences in points of accuracy (correlation: r; KL: nats); " +
    (found.some(({ verdict }) => verdict === "no claim")
      ? "nothing is read from them"
      : "read by data/study-rule.md"),
    ...(found.some(({ hypothesis }) => hypothesis === "middle ratio")
      ? ["middle ratio: the best r between 0 and 1 minus the better one of INC and SELF"]
      : []),
    "",
    ...(rows.length > 0
      ? [header, ...rows].map(line)
      : ["Nothing to compare: no two groups were trained on."]),
    "",
    ...detailTexts(found),
    ...study.plans.map(planText),
    `Backend ${study.backend.name}, ${study.backend.precision}`,
    "",
  ].join("\n");
}

/** Details in lines of their own, for they would make the columns too wide. */
function detailTexts(found: readonly Finding[]): string[] {
  const detailed = found.filter(({ detail }) => detail !== undefined);
  return [...Map.groupBy(detailed, ({ hypothesis }) => hypothesis)].map(([hypothesis, list]) => {
    const details = list.map(({ suite, detail }) => `${suiteLabels[suite]} ${detail}`);
    return `${hypothesis}: ${details.join("; ")}`;
  });
}

function planText({ models, seeds, treatments }: StudyPlan): string {
  const mixtures = treatments.includes("mix")
    ? `mixtures with seeds ${seeds.join(", ")}`
    : "no mixtures";
  return `${models.map(modelLabel).join(", ")}: seeds ${seeds.join(", ")}; ${mixtures}`;
}

/** What did not come out as the paper found it, a sentence each; nothing of what makes no claim. */
export function unprovenTexts(found: readonly Finding[]): string[] {
  const read = found.filter(({ verdict }) => verdict !== "holds" && verdict !== "no claim");
  return read.map((finding) => {
    const { hypothesis, suite, unit, over, correctedP, verdict } = finding;
    const { n, detectable = NaN } = finding.estimate;
    const p = correctedP === undefined ? "" : `, ${pValue(correctedP, "Holm p")}`;
    const least = `a true difference shows from about ${detectable.toFixed(1)} points up`;
    const resolution = unit === "points" && Number.isFinite(detectable)
      ? ` With ${n} ${over} ${least} (80% power, before Holm's correction).`
      : "";
    const sentence = verdict === "can't tell" ? "can't be told from no effect" : "does not hold";
    const about = `${hypothesis} on ${suiteLabels[suite]} ${sentence} here`;
    return `${about}: ${findingText(finding)} over ${n} ${over}${p}.${resolution}`;
  });
}

/** All that a study found: the findings, and below them what did not come out as in the paper. */
export function summaryText(
  found: readonly Finding[],
  about: { study: Pick<Study, "plans" | "backend">; warnings: readonly string[] },
): string {
  const unproven = unprovenTexts(found).map((text) => `- ${text}\n`);
  if (unproven.length > 0) unproven.unshift("\nWhat did not come out as in the paper:\n");
  return findingsText(found, about) + unproven.join("");
}

/** Writes `folder/name.csv` without showing it: rows for other programs. */
export async function saveRows(folder: string, name: string, rows: readonly Row[]): Promise<void> {
  await writeStable(`${folder}/${name}.csv`, toCsv(table(rows)));
}

/** Writes `folder/name`, such as the findings' text; gives its path. */
export async function saveText(folder: string, name: string, text: string): Promise<string> {
  await writeStable(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}
