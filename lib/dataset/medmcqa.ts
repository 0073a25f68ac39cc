/**
 * MedMCQA (Pal et al. 2022), the paper's medicine: rows of a question, options opa to opd, the gold
 * option `cop`, and an expert's explanation.
 */
import { collectRows, RowFault, type RowOptions, show, sourceRows } from "../_rows.ts";
import { type ParsedQuestions, questionFrom } from "../question.ts";

/** How a MedMCQA file is read. */
export interface MedmcqaOptions extends RowOptions {
  /**
   * What `cop` counts from: 1 in the original JSON files, 0 in the hub's. Default: told from the
   * file, where a 0 or a 4 decides; a file with neither is an error.
   */
  copBase?: 0 | 1;
  /**
   * Keep what the paper's exam holds: questions of type `single` that have an explanation. Default:
   * false, all questions are kept.
   */
  published?: boolean;
}

function baseOf(cops: unknown[], file: string): 0 | 1 {
  if (cops.includes(0) && !cops.includes(4)) return 0;
  if (cops.includes(4) && !cops.includes(0)) return 1;
  throw new Error(
    `Cannot read MedMCQA from ${file}: expected values of cop that tell 0..3 from 1..4; ` +
      `found ${show([...new Set(cops)].sort())}; give copBase`,
  );
}

/** Questions of a MedMCQA file; `dropped` counts those that `published` leaves out. */
export function parseMedmcqa(
  text: string,
  options: MedmcqaOptions,
): ParsedQuestions & { dropped: number } {
  const { file } = options;
  const rows = sourceRows(text, options);
  const cops = rows.map((row) => (row.value as { cop?: unknown } | undefined)?.cop);
  const base = options.copBase ?? (rows.length === 0 ? 0 : baseOf(cops, file));
  let dropped = 0;
  const { values, rejected } = collectRows(rows, file, (row) => {
    const fields = (row ?? {}) as Record<string, unknown>;
    const { cop } = fields;
    if (!Number.isInteger(cop) || (cop as number) < base || (cop as number) > base + 3) {
      throw new RowFault(`cop: expected an integer ${base}..${base + 3}; found ${show(cop)}`);
    }
    const question = questionFrom({
      id: fields.id,
      domain: "medicine",
      subject: fields.subject_name,
      question: fields.question,
      choices: [fields.opa, fields.opb, fields.opc, fields.opd],
      answer: (cop as number) - base,
      explanation: fields.exp,
    }, { allowRepeatedChoices: true });
    if (options.published && (fields.choice_type !== "single" || !question.explanation)) {
      dropped++;
      return undefined;
    }
    return question;
  });
  return { questions: values, rejected, dropped };
}
