/** MedMCQA (Pal et al. 2022), the paper's medicine: options opa to opd, gold `cop`, explanation. */
import { wholeNumber, withoutAnswers } from "./_answer_form.ts";
import { collectRows, RowFault, type RowOptions, show, sourceRows } from "./_rows.ts";
import { type ParsedQuestions, questionFrom } from "./questions.ts";

/** How a MedMCQA file is read. */
export interface MedmcqaOptions extends RowOptions {
  /**
   * What `cop` counts from: 1 in the original JSON files, 0 in the hub's (whose test file has -1
   * alone). Default: told from the file, where a 0 or a 4 decides; a file with neither is an error.
   */
  copBase?: 0 | 1;
  /** Keep what the paper's exam holds: type `single` with an explanation. Default: false, all. */
  published?: boolean;
}

function baseOf(cops: readonly (number | undefined)[], file: string): 0 | 1 {
  const found = new Set(cops.filter((cop) => cop !== undefined && cop >= 0));
  if (found.has(0) === found.has(4) && found.size > 0) {
    throw new Error(
      `Cannot read MedMCQA from ${file}: expected values of cop that tell 0..3 from 1..4; ` +
        `found ${show([...found].sort())}; give copBase`,
    );
  }
  return found.has(4) ? 1 : 0;
}

/** Questions of a MedMCQA file; `dropped` counts those that `published` leaves out. */
export function parseMedmcqa(
  text: string,
  options: MedmcqaOptions,
): ParsedQuestions & { dropped: number } {
  const { file } = options;
  const rows = sourceRows(text, options);
  const cops = rows.map(({ value }) => (value as { cop?: unknown } | null | undefined)?.cop);
  const base = options.copBase ?? baseOf(cops.map(wholeNumber), file);
  const none = withoutAnswers(cops);
  let dropped = 0;
  const { values, rejected } = collectRows(rows, file, (row) => {
    const fields = (row ?? {}) as Record<string, unknown>;
    const cop = wholeNumber(fields.cop);
    if (cop === undefined || cop < base || cop > base + 3) {
      const expected = `cop: expected an integer ${base}..${base + 3}`;
      throw new RowFault(`${expected}; found ${show(fields.cop)}${none}`);
    }
    const { id, question: asked, subject_name: subject, exp: explanation } = fields;
    const question = questionFrom({
      ...{ id, domain: "medicine", subject, question: asked, answer: cop - base, explanation },
      choices: [fields.opa, fields.opb, fields.opc, fields.opd],
    }, { allowRepeatedChoices: true });
    if (options.published && (fields.choice_type !== "single" || !question.explanation)) {
      dropped++;
      return undefined;
    }
    return question;
  });
  return { questions: values, rejected, dropped };
}
