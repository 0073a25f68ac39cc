/**
 * The authors' released group rows, and an audit of three groups by the method (paper, section
 * 3.2).
 */
import { collectRows, placeName, type RejectedRow } from "./_rows.ts";
import { fromAnswerRow, type StoredAnswer } from "./answers.ts";
import { type ParseOptions, questionRows } from "./questions.ts";

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
  const domain = options.domain ?? placeName(options.file);
  const { values, rejected } = collectRows(
    questionRows(content, options).rows,
    options.file,
    (row): ReleasedAnswer => {
      const answer: ReleasedAnswer = fromAnswerRow(row, { ...options, domain });
      const fields = row as Record<string, unknown>;
      const raw = (fields.raw ?? {}) as Record<string, unknown>;
      if (Array.isArray(raw.labels)) {
        answer.labels = raw.labels.filter((label) => typeof label === "string");
      }
      const generated = (fields.gen_exp ?? {}) as Record<string, unknown>;
      const input = text(generated.input), output = text(generated.output);
      if (input && output) answer.generatedExplanation = { input, output };
      const generation = text(fields.model_exp_gen);
      if (generation) answer.modelGeneration = generation;
      const explanation = text(fields.model_exp);
      if (explanation) answer.modelExplanation = explanation;
      return answer;
    },
  );
  return { answers: values, rejected };
}

/** One check of the audit. */
export interface GroupFinding {
  check:
    | "size"
    | "correctness"
    | "output"
    | "argmax"
    | "confidence"
    | "sum"
    | "ids"
    | "disjoint"
    | "queries"
    | "choices"
    | "texts"
    | "explanation";
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

/** What is compared. */
export interface AuditOptions {
  /** Default: 0.5, the paper's; every prediction must lie above it. */
  minimumConfidence?: number;
  /** How far a sum of probabilities may be from one. Default: 1e-5. */
  sumTolerance?: number;
}

/** Three groups of one model and domain; SELF's files are not always published. */
export interface AuditedGroups {
  har: readonly ReleasedAnswer[];
  inc: readonly ReleasedAnswer[];
  self?: readonly ReleasedAnswer[];
}

/** Checks that three groups are what the method says; `passed` when no fault was found. */
export function auditGroups(
  groups: AuditedGroups,
  options: AuditOptions = {},
): { passed: boolean; findings: GroupFinding[] } {
  const { minimumConfidence = 0.5, sumTolerance = 1e-5 } = options;
  const findings: GroupFinding[] = [];
  const add = (
    group: GroupFinding["group"],
    check: GroupFinding["check"],
    rows: readonly ReleasedAnswer[],
    message: string,
    bad: (row: ReleasedAnswer, i: number) => boolean,
    severity: GroupFinding["severity"] = "fault",
  ) => {
    const failing = rows.filter(bad);
    findings.push({
      check,
      group,
      severity,
      ok: failing.length === 0,
      failed: failing.length,
      of: rows.length,
      ids: failing.slice(0, 5).map(({ id }) => id),
      message,
    });
  };
  const repeatsEarlier = (rows: readonly ReleasedAnswer[], key: (r: ReleasedAnswer) => string) => {
    const seen = new Set<string>();
    return new Set(rows.filter((row) => seen.has(key(row)) || !seen.add(key(row))));
  };

  for (const group of ["har", "inc", "self"] as const) {
    const rows = groups[group];
    if (!rows) continue;
    if (group === "har") {
      add(group, "correctness", rows, "every answer is right", (r) => !r.correct);
    } else add(group, "correctness", rows, "every answer is wrong", (r) => r.correct);
    if (group === "self") {
      add(group, "output", rows, "output is the prediction", (r) => r.output !== r.predicted);
    } else {
      add(group, "output", rows, "output is the gold answer", (r) => r.output !== r.answer);
    }
    add(
      group,
      "argmax",
      rows,
      "the prediction is the most probable option",
      (r) => r.probabilities[r.predicted] < Math.max(...r.probabilities),
    );
    add(
      group,
      "confidence",
      rows,
      `the prediction's probability is above ${minimumConfidence}`,
      (r) => !(r.predictedProbability > minimumConfidence),
    );
    add(
      group,
      "sum",
      rows,
      `probabilities sum to one (within ${sumTolerance})`,
      (r) => Math.abs(r.probabilities.reduce((a, b) => a + b, 0) - 1) > sumTolerance,
    );
    const sameId = repeatsEarlier(rows, (r) => String(r.id));
    add(group, "ids", rows, "no id stands twice", (r) => sameId.has(r));
    const sameText = repeatsEarlier(rows, (r) => r.question);
    add(group, "texts", rows, "no question's text stands twice", (r) => sameText.has(r), "note");
    add(
      group,
      "choices",
      rows,
      "a question's options all differ",
      (r) => new Set(r.choices).size < r.choices.length,
      "note",
    );
    add(
      group,
      "explanation",
      rows,
      "the output is explained",
      (r) => !(group === "self" ? r.modelExplanation : r.explanation),
      "note",
    );
  }

  const { har, inc, self } = groups;
  const sizes = [har, inc, ...(self ? [self] : [])].map((rows) => rows.length);
  findings.push({
    check: "size",
    group: "all",
    severity: "fault",
    ok: new Set(sizes).size === 1 && sizes[0] > 0,
    failed: Math.max(...sizes) - Math.min(...sizes),
    of: Math.max(...sizes),
    ids: [],
    message: `the groups are of one size, not empty (${sizes.join(", ")})`,
  });
  const wrong = new Set(inc.map(({ id }) => String(id)));
  add("har", "disjoint", har, "no HAR question is in INC", (r) => wrong.has(String(r.id)));
  if (self) {
    add(
      "self",
      "queries",
      self,
      "SELF asks INC's questions, in INC's order",
      (r, i) => r.id !== inc[i]?.id || r.question !== inc[i]?.question,
    );
  }
  const passed = findings.every(({ ok, severity }) => ok || severity === "note");
  return { passed, findings };
}
