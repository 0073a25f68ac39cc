/** A real model looked at closely. Shares in percent, differences in points. */
import { type Answer, answerFrom, type Question } from "../question.ts";
import { reliabilityOf, shareOf } from "../audit.ts";
import { type Material, questionCount } from "../cell.ts";
import { suiteLabels } from "../contrast.ts";
import { suiteNames } from "../evaluate.ts";
import { inPoints } from "../figure/number.ts";
import { progress } from "../figure/progress.ts";
import type { ReadableModel } from "../model/readable_model.ts";
import { optionProbabilities, type OptionScore } from "../probe.ts";
import { type Formulation, formulations, type Normalization, normalizations } from "../prompt.ts";
import { Random } from "../statistics/random.ts";
import { storedAnswers, storedScores } from "./answers.ts";
import type { ProbedBase } from "./bases.ts";
import { modelDigest } from "./digest.ts";
import { unique } from "../figure/rows.ts";
import { accuracies, ALL_DOMAINS, contrasts, type StudyRow } from "./rows.ts";
import type { AuditedStudy } from "./run.ts";
import { type Settings, storePath } from "./settings.ts";
import { Store } from "./store.ts";
import { openProbed } from "./subjects.ts";

/** How many questions each domain has: its pool and its tests. */
export function questionCounts({ domains }: Material) {
  return [...domains].map(([domain, { pool, suites }]) => ({
    domain,
    pool: pool.questions.length,
    ...Object.fromEntries(
      suiteNames.map((suite) => [suiteLabels[suite], questionCount(suites[suite])]),
    ),
  }));
}

/** The first question of each domain's pool, and of its ID. */
export function firstQuestions({ domains }: Material) {
  return [...domains].flatMap(([domain, { pool, suites }]) =>
    [pool, ...(suites.id ?? [])].flatMap(({ questions }) => questions.slice(0, 1)).map((
      { subject, question, choices, answer },
    ) => ({
      ...{ domain, kind: subject ?? "", question },
      options: choices.join(" / "),
      right: choices[answer],
    }))
  );
}

/**
 * A model's answers to the HOMO exams by each formulation, five examples shown.
 * @param formulations default: all that it can be asked by
 * @param limit at most so many questions of an exam
 */
export async function askFormulations(
  model: ReadableModel,
  { domains }: Material,
  { limit, formulations: asked = formulations }: {
    limit?: number;
    formulations?: readonly Formulation[];
  } = {},
): Promise<Map<Formulation, Answer[]>> {
  const exams = [...domains.values()].flatMap(({ suites }) => suites.homo ?? []);
  const store = new Store(storePath()), digest = await modelDigest(model);
  const answers = new Map<Formulation, Answer[]>();
  const scoresTexts = await model.byText?.scoresTexts() ?? true;
  const ways = scoresTexts ? [...new Set(asked)] : ["letters" as const];
  if (!scoresTexts) {
    console.error(`${model.name} is asked for letters alone: its server scores no options' texts`);
  }
  const bar = progress(`asking by ${ways.join(", ")}`, ways.length * exams.length);
  let done = 0;
  for (const { questions, demonstrations } of exams) {
    const exam = { questions: questions.slice(0, limit), demonstrations };
    for (const formulation of ways) {
      const onProgress = (share: number) => bar.update(done + share, formulation);
      const given = await storedAnswers({ model, digest, exam, formulation }, {
        ...{ store, onProgress },
      });
      answers.getOrInsert(formulation, []).push(...given);
      bar.update(++done, formulation);
    }
  }
  await bar.finish("");
  return answers;
}

/** So many questions of each pool show how options' texts are compared. */
const SAMPLE = 40;

/** A sample of each pool by each way to compare the options' texts; none by letters. */
export async function answersByNormalization(
  base: ProbedBase,
  settings: Settings,
): Promise<Map<Normalization, Answer[]>> {
  if (base.format.formulation === "letters") return new Map();
  const { name, material: { domains } } = base;
  using model = (await openProbed(name, settings)).model;
  const store = new Store(storePath()), bar = progress("scoring options", domains.size);
  const scored: { question: Question; scores: OptionScore[] }[] = [];
  for (const [i, [domain, { pool }]] of [...domains].entries()) {
    bar.update(i, domain);
    const questions = new Random("normalization").shuffle(pool.questions).slice(0, SAMPLE);
    const scores = await storedScores({ model, exam: { ...pool, questions } }, { store });
    scored.push(...questions.map((question, i) => ({ question, scores: scores[i] })));
  }
  bar.update(domains.size, "");
  await bar.finish();
  const answersBy = (normalization: Normalization) =>
    scored.map(({ question, scores }) =>
      answerFrom(question, optionProbabilities(scores, normalization))
    );
  return new Map(normalizations.map((normalization) => [normalization, answersBy(normalization)]));
}

const right = ({ correct }: Answer) => correct;

/** How sure each normalization is, and how often it is right then. */
export function normalizationRows(
  answered: ReadonlyMap<Normalization, readonly Answer[]>,
  minimumConfidence = 0.5,
) {
  return [...answered].map(([normalization, answers]) => {
    const isSure = (answer: Answer) => answer.predictedProbability > minimumConfidence;
    return {
      normalization,
      right: inPoints(shareOf(answers, right)),
      sure: inPoints(shareOf(answers, isSure)),
      "right where sure": inPoints(shareOf(answers.filter(isSure), right)),
      "calibration error": 100 * reliabilityOf(answers).error,
    };
  });
}

/** What a base model knows of each kind of question, in its pools and ID together. */
export function subjectRows({ answers, base, material }: ProbedBase) {
  return [...material.domains].flatMap(([domain, { suites }]) => {
    const id = (suites.id ?? []).flatMap(({ name }) => base.answers[name]);
    const all = [...answers.get(domain)!, ...id];
    const subjects = Map.groupBy(all, ({ subject = domain }) => subject);
    return [...subjects].map(([subject, list]) => (
      { domain, subject, right: inPoints(shareOf(list, right)) }
    ));
  });
}

/** Accuracies of one model's study: the whole is left out where there is one domain. */
export function accuraciesByDomain(study: AuditedStudy): StudyRow[] {
  const several = unique(study.cells.map(({ cell }) => cell.domain)).length > 1;
  return accuracies(study).filter(({ domain }) => several || domain !== ALL_DOMAINS);
}

/** The rule's differences of one model's study in each domain, and in all where there are several. */
export function contrastsByDomain({ cells }: Pick<AuditedStudy, "cells">): StudyRow[] {
  const domains = unique(cells.map(({ cell }) => cell.domain));
  const of = (domain: string, some: typeof cells) =>
    contrasts({ cells: some }).map((row) => ({ ...row, domain }));
  return [
    ...domains.flatMap((name) => of(name, cells.filter(({ cell }) => cell.domain === name))),
    ...(domains.length > 1 ? of(ALL_DOMAINS, cells) : []),
  ];
}
