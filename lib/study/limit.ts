/** A part of an exam, where a run takes at most so many questions. */
import type { Question } from "../question.ts";
import { Random } from "../statistics/random.ts";

const subjectOf = ({ domain, subject }: Question) => JSON.stringify([domain, subject]);

/**
 * At most `limit` questions in their order: one of each subject and domain, then each in proportion
 * to its questions, drawn by a fixed seed. A smaller limit keeps a part of what a larger one keeps.
 */
export function limited(questions: readonly Question[], limit = Infinity): readonly Question[] {
  if (questions.length <= limit) return questions;
  const random = new Random("limit");
  const subjects = Map.groupBy(questions, subjectOf);
  const ranked = random.shuffle([...subjects.keys()].toSorted()).flatMap((name) =>
    random.fork(name).shuffle(subjects.get(name)!).map((question, i, { length }) => ({
      question,
      rank: i === 0 ? 0 : (i + 0.5) / length,
    }))
  );
  const first = ranked.toSorted((a, b) => a.rank - b.rank).slice(0, limit);
  const kept = new Set(first.map(({ question }) => question));
  return questions.filter((question) => kept.has(question));
}

/** "history/ood 20 of 120 questions (4 of 4 subjects)", or undefined where all are kept. */
export function limitText(
  name: string,
  kept: readonly Question[],
  all: readonly Question[],
): string | undefined {
  if (kept.length === all.length) return undefined;
  const count = (list: readonly Question[]) => new Set(list.map(subjectOf)).size;
  return `${name} ${kept.length} of ${all.length} questions (${count(kept)} of ${
    count(all)
  } subjects)`;
}
