/** The authors' released group rows, and an audit of groups by the method (paper, section 3.2). */
import type { RejectedRow } from "./_rows.ts";
import { answerReader, answersOf, type StoredAnswer } from "./answers.ts";
import type { ParseOptions } from "./questions.ts";

/** One row of a released group. */
export type ReleasedAnswer = StoredAnswer & {
  /** Xiezhi's labels, or none. */
  labels?: string[];
  /** `gen_exp`: the prompt for the gold answer's explanation, and what came back. */
  generatedExplanation?: { input: string; output: string };
  /** `model_exp_gen`: all that the base model wrote to explain its own answer. */
  modelGeneration?: string;
  /** `model_exp`: the explanation cut out of it. */
  modelExplanation?: string;
};

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Rows of a released file; `raw`, the row of the source exam, is kept only as its labels. */
export function parseReleased(
  content: string,
  options: ParseOptions,
): { answers: ReleasedAnswer[]; rejected: RejectedRow[] } {
  const reader = answerReader(options, (answer: ReleasedAnswer, row) => {
    const raw = (row.raw ?? {}) as Record<string, unknown>;
    if (Array.isArray(raw.labels)) {
      answer.labels = raw.labels.filter((label) => typeof label === "string");
    }
    const generated = (row.gen_exp ?? {}) as Record<string, unknown>;
    const input = text(generated.input), output = text(generated.output);
    if (input && output) answer.generatedExplanation = { input, output };
    const generation = text(row.model_exp_gen);
    if (generation) answer.modelGeneration = generation;
    const explanation = text(row.model_exp);
    if (explanation) answer.modelExplanation = explanation;
    return answer;
  });
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

/** A check of each row: its name, what is right, and whether a row is not so. */
type RowCheck = [check: string, message: string, bad: (row: ReleasedAnswer, i: number) => boolean];

/** What must be so in one group, and what is worth a note. */
function checksOf(
  group: "har" | "inc" | "self",
  rows: readonly ReleasedAnswer[],
): Record<GroupFinding["severity"], RowCheck[]> {
  const repeated = (key: (row: ReleasedAnswer) => string) => {
    const seen = new Set<string>();
    return new Set(rows.filter((row) => seen.has(key(row)) || !seen.add(key(row))));
  };
  const sameId = repeated(({ id }) => String(id)), sameText = repeated(({ question }) => question);
  const isRight = group === "har", own = group === "self";
  return {
    fault: [
      [
        "correctness",
        `every answer is ${isRight ? "right" : "wrong"}`,
        ({ correct }) => correct !== isRight,
      ],
      [
        "output",
        `output is the ${own ? "prediction" : "gold answer"}`,
        (r) => r.output !== (own ? r.predicted : r.answer),
      ],
      [
        "argmax",
        "the prediction is the most probable option",
        (r) => r.probabilities[r.predicted] < Math.max(...r.probabilities),
      ],
      [
        "confidence",
        `the prediction's probability is above ${MINIMUM_CONFIDENCE}`,
        (r) => !(r.predictedProbability > MINIMUM_CONFIDENCE),
      ],
      [
        "sum",
        `probabilities sum to one (within ${SUM_TOLERANCE})`,
        (r) => Math.abs(r.probabilities.reduce((a, b) => a + b, 0) - 1) > SUM_TOLERANCE,
      ],
      ["ids", "no id stands twice", (r) => sameId.has(r)],
    ],
    note: [
      ["texts", "no question's text stands twice", (r) => sameText.has(r)],
      [
        "choices",
        "a question's options all differ",
        ({ choices }) => new Set(choices).size < choices.length,
      ],
      [
        "explanation",
        "the output is explained",
        (r) => !(own ? r.modelExplanation : r.explanation),
      ],
    ],
  };
}

/** Checks that three groups are what the method says; `passed` when no fault was found. */
export function auditGroups(
  groups: AuditedGroups,
): { passed: boolean; findings: GroupFinding[] } {
  const { har, inc, self } = groups;
  const found = (
    group: GroupFinding["group"],
    severity: GroupFinding["severity"],
    rows: readonly ReleasedAnswer[],
    [check, message, bad]: RowCheck,
  ): GroupFinding => {
    const failing = rows.filter(bad), ids = failing.slice(0, 5).map(({ id }) => id);
    const failed = failing.length, ok = failed === 0;
    return { check, group, severity, ok, failed, of: rows.length, ids, message };
  };
  const own = (["har", "inc", "self"] as const).flatMap((group) => {
    const rows = groups[group];
    if (rows === undefined) return [];
    const { fault, note } = checksOf(group, rows);
    return [
      ...fault.map((check) => found(group, "fault", rows, check)),
      ...note.map((check) => found(group, "note", rows, check)),
    ];
  });
  const sizes = [har, inc, ...(self ? [self] : [])].map((rows) => rows.length);
  const most = Math.max(...sizes), least = Math.min(...sizes);
  const size: GroupFinding = {
    ...{ check: "size", group: "all", severity: "fault", ids: [] },
    ...{ ok: most === least && most > 0, failed: most - least, of: most },
    message: `the groups are of one size, not empty (${sizes.join(", ")})`,
  };
  const wrong = new Set(inc.map(({ id }) => String(id)));
  const disjoint: RowCheck = [
    "disjoint",
    "no HAR question is in INC",
    ({ id }) => wrong.has(String(id)),
  ];
  const queries: RowCheck = [
    "queries",
    "SELF asks INC's questions, in INC's order",
    ({ id, question }, i) => id !== inc[i]?.id || question !== inc[i]?.question,
  ];
  const findings = [
    ...own,
    size,
    found("har", "fault", har, disjoint),
    ...(self ? [found("self", "fault", self, queries)] : []),
  ];
  return { passed: findings.every(({ ok, severity }) => ok || severity === "note"), findings };
}
