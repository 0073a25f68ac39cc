/** Everything that a corpus says of one fact: what a model that read it has learnt the fact from. */
import { documents } from "./documents.ts";
import { statementTemplates } from "./format.ts";
import type { Fact, World } from "./world.ts";

/** How often each value was given. */
export type Tally = Map<string, number>;

/**
 * Reads the corpus from its start and gathers what it says of `fact`.
 * @param tokens how much of it is read: what the model was trained on (its card's `tokens`)
 */
export function factMentions(world: World, fact: Fact, { tokens }: { tokens: number }) {
  const found = {
    /** Values that its statements gave, by template, in the order of `statementTemplates`. */
    statements: statementTemplates.map((): Tally => new Map()),
    /** Values that the answers of open questions gave. */
    open: new Map() as Tally,
    /** Exam questions, plain and in the chat, that asked for it; facts of tests have none. */
    exams: 0,
    /** Texts that state it with a random value and ask for that: they tell nothing of the truth. */
    readings: 0,
  };
  const { values } = world.domains.flatMap(({ relations }) => relations)
    .find(({ noun }) => noun === fact.noun)!;
  const sentences = new Map(
    statementTemplates.flatMap(({ words }, template) =>
      values.map((value) => [words(fact, value).join(" "), { template, value }] as const)
    ),
  );
  const count = (tally: Tally, value: string) => tally.set(value, (tally.get(value) ?? 0) + 1);
  let read = 0;
  for (const { type, words, facts, answers } of documents(world)) {
    if (read >= tokens) break;
    read += words.length;
    if (!facts.some(({ id }) => id === fact.id)) continue;
    if (type === "statements") {
      for (const sentence of words.slice(1).join(" ").split(/(?<=\.) /)) {
        const match = sentences.get(sentence);
        if (match) count(found.statements[match.template], match.value);
      }
    } else if (type === "open") {
      facts.forEach(({ id }, i) => id === fact.id && count(found.open, words[answers[i]]));
    } else if (type === "exam" || type === "chatExam") found.exams++;
    else found.readings++;
  }
  return found;
}
