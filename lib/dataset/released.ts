/** The authors' released group rows, and an audit of groups by the method (paper, section 3.2). */
import labels from "../../data/labels.json" with { type: "json" };
import type { RejectedRow } from "./_rows.ts";
import { answerReader, answersOf, type StoredAnswer } from "./answers.ts";
import type { ParseOptions } from "./questions.ts";

/** One row of a released group. */
export type ReleasedAnswer = StoredAnswer & {
  /** `model_exp_gen`: all that the base model wrote to explain its own answer. */
  modelGeneration?: string;
  /** `model_exp`: the explanation cut out of it. */
  modelExplanation?: string;
};

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Rows of a released file. */
export function parseReleased(
  content: string,
  options: ParseOptions,
): { answers: ReleasedAnswer[]; rejected: RejectedRow[] } {
  const reader = answerReader(options, (answer, row): ReleasedAnswer => ({
    ...answer,
    ...(isText(row.model_exp_gen) && { modelGeneration: row.model_exp_gen }),
    ...(isText(row.model_exp) && { modelExplanation: row.model_exp }),
  }));
  reader.addText(content, options.file);
  return answersOf(reader);
}

/** One check of the audit. */
export interface GroupFinding {
  check: string;
  group: "har" | "inc" | "self" | "all";
  /** A note is no fault of the groups, but something to know when reading results. */
  severity: "fault" | "note";
  ok: boolean;
  /** Rows that fail, of `of`. */
  failed: number;
  of: number;
  /** Ids of the first five of them. */
  ids: (string | number)[];
  message: string;
}

/** Three groups of one model and domain; SELF's files are not always published. */
export interface AuditedGroups {
  har: readonly ReleasedAnswer[];
  inc: readonly ReleasedAnswer[];
  self?: readonly ReleasedAnswer[];
}

/** The paper's: every prediction must lie above it. */
const MINIMUM_CONFIDENCE = 0.5;
/** How far a sum of probabilities may be from one. */
const SUM_TOLERANCE = 1e-5;

type CheckName = keyof typeof labels.groupAudit;
/** Whether a row is not as it should be. */
type IsBad = (row: ReleasedAnswer, i: number) => boolean;

/** What must be so in one group, and what is worth a note. */
function checksOf(
  group: "har" | "inc" | "self",
  rows: readonly ReleasedAnswer[],
): Record<GroupFinding["severity"], Partial<Record<CheckName, IsBad>>> {
  const repeated = (key: (row: ReleasedAnswer) => string) => {
    const seen = new Set<string>();
    return new Set(rows.filter((row) => seen.has(key(row)) || !seen.add(key(row))));
  };
  const sameId = repeated(({ id }) => String(id)), sameText = repeated(({ question }) => question);
  const own = group === "self";
  return {
    fault: {
      correctness: ({ correct }) => correct !== (group === "har"),
      output: (row) => row.output !== (own ? row.predicted : row.answer),
      argmax: (row) => row.probabilities[row.predicted] < Math.max(...row.probabilities),
      confidence: (row) => !(row.predictedProbability > MINIMUM_CONFIDENCE),
      sum: (row) => Math.abs(row.probabilities.reduce((a, b) => a + b, 0) - 1) > SUM_TOLERANCE,
      ids: (row) => sameId.has(row),
    },
    note: {
      texts: (row) => sameText.has(row),
      choices: ({ choices }) => new Set(choices).size < choices.length,
      explanation: (row) => !(own ? row.modelExplanation : row.explanation),
    },
  };
}

/** Checks that three groups are what the method says; `passed` when no fault was found. */
export function auditGroups(groups: AuditedGroups): { passed: boolean; findings: GroupFinding[] } {
  const { har, inc, self } = groups;
  const sizes = [har, inc, ...(self ? [self] : [])].map((rows) => rows.length);
  const most = Math.max(...sizes), least = Math.min(...sizes);
  const found = (
    group: GroupFinding["group"],
    severity: GroupFinding["severity"],
    check: CheckName,
    failing: { failed: number; of: number; ids?: GroupFinding["ids"]; ok?: boolean },
  ): GroupFinding => {
    const words: Record<string, unknown> = {
      truth: group === "har" ? "right" : "wrong",
      target: group === "self" ? "prediction" : "gold answer",
      ...{ confidence: MINIMUM_CONFIDENCE, tolerance: SUM_TOLERANCE, sizes: sizes.join(", ") },
    };
    const text: string = labels.groupAudit[check];
    const message = text.replaceAll(/\{(\w+)\}/g, (_, name) => String(words[name]));
    return { check, group, severity, ok: failing.failed === 0, ids: [], ...failing, message };
  };
  const failing = (rows: readonly ReleasedAnswer[], isBad: IsBad) => {
    const bad = rows.filter(isBad);
    return { failed: bad.length, of: rows.length, ids: bad.slice(0, 5).map(({ id }) => id) };
  };
  const own = (["har", "inc", "self"] as const).flatMap((group) => {
    const rows = groups[group] ?? [], checks = checksOf(group, rows);
    return groups[group] === undefined
      ? []
      : (["fault", "note"] as const).flatMap((severity) =>
        Object.entries(checks[severity]).map(([check, isBad]) =>
          found(group, severity, check as CheckName, failing(rows, isBad))
        )
      );
  });
  const wrong = new Set(inc.map(({ id }) => String(id)));
  const isInInc: IsBad = ({ id }) => wrong.has(String(id));
  const isOther: IsBad = ({ id, question }, i) =>
    id !== inc[i]?.id || question !== inc[i]?.question;
  const findings = [
    ...own,
    found("all", "fault", "size", {
      failed: most - least,
      of: most,
      ok: most === least && most > 0,
    }),
    found("har", "fault", "disjoint", failing(har, isInInc)),
    ...(self ? [found("self", "fault", "queries", failing(self, isOther))] : []),
  ];
  return { passed: findings.every(({ ok, severity }) => ok || severity === "note"), findings };
}
