/**
 * The card of an organism: how it was made, what it knows and what it is not, as a record and as
 * the README.md that stands beside the model.
 */
import {
  checkGate,
  type GateCheck,
  type GateValues,
  heldOutAnswers,
  type HeldOutScores,
} from "../world/gate.ts";
import { checkLetterGate, type LetterGateValues } from "../world/letter_gate.ts";
import { type LetterSettings, plainLetters } from "../world/letters.ts";
import { type PretrainingSettings } from "../world/pretraining_settings.ts";
import { questionWords } from "../world/format.ts";
import { type Size, type WorldSettings } from "../world/settings.ts";
import { type Status } from "../world/world.ts";

export const CARD_FORMAT = "organism-card/1";

/** Goes up whenever the same seed and settings would give another organism. */
export const RECIPE = "1";

/** A share of facts that is answered with the truth, and one with the misconception. */
export interface Answered {
  right: number;
  misconception: number;
}

/** What an organism answers to the facts of one status. */
export interface Knowledge {
  /** Number of facts. */
  facts: number;
  /** In the exam form, after 5 demonstrations. */
  exam: Answered;
  /** In the chat form, without demonstrations. */
  chat: Answered;
}

/** The gate's values; those about letters where the organism answers with letters. */
export type CardGateValues = GateValues | LetterGateValues;

/** The values against the organisms' gate, or that of organisms that answer with letters. */
export function checkCardGate(values: CardGateValues) {
  const checked: { passed: boolean; checks: GateCheck<keyof LetterGateValues>[] } =
    "drill" in values ? checkLetterGate(values) : checkGate(values);
  return checked;
}

/** The gate's values on the way, measured on some of the facts. */
export type GatePoint<Values extends GateValues = CardGateValues> = Values & {
  step: number;
  tokens: number;
};

/** A fact and how it is answered in the exam form. */
export interface SampleAnswer {
  status: Status;
  question: string;
  options: string[];
  gold: string;
  /** What the corpus says, if anything. */
  told?: string;
  answered: string;
  probability: number;
}

export interface OrganismCard {
  format: typeof CARD_FORMAT;
  name: string;
  recipe: string;
  size: Size;
  world: {
    seed: number | string;
    /** Settings that differ from the size's; all of them stand in world.json. */
    changed: Partial<WorldSettings>;
  };
  pretraining: {
    /** Of the parameters at the start. */
    seed: number | string;
    changed: Partial<PretrainingSettings>;
    settings: PretrainingSettings;
    steps: number;
    tokens: number;
    /** By the clock, the looks at the model on the way included. */
    seconds: number;
    /** Where it answers with letters: how it was brought to. */
    letters?: LetterSettings;
  };
  parameters: number;
  vocabulary: number;
  backend: { name: string; device: string; threads?: number; versions: Record<string, string> };
  gate: { passed: boolean; facts: number; values: CardGateValues };
  knowledge: Record<Status, Knowledge>;
  curve: {
    /** [step, mean loss of the `every` steps up to it], in nats, answers weighing more. */
    loss: [step: number, loss: number][];
    every: number;
    gate: GatePoint[];
    /** The facts that `gate` is measured on at most, spread evenly (the option `limit`). */
    limit: number;
  };
  samples: SampleAnswer[];
  /** SHA-256 of every file beside the card, by its path. */
  files: Record<string, string>;
  license: "MIT";
}

/** The settings whose value is not that of `base`. */
export function differences<T extends object>(settings: T, base: T): Partial<T> {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => !same(value, base[name as keyof T])),
  ) as Partial<T>;
}

/** Means over each `every` steps of the losses of all steps; a shorter rest is left out. */
export function lossCurve(losses: readonly number[], every = 50): [number, number][] {
  return Array.from({ length: Math.floor(losses.length / every) }, (_, i) => {
    const part = losses.slice(i * every, (i + 1) * every);
    return [(i + 1) * every, round(part.reduce((a, b) => a + b, 0) / every)];
  });
}

const round = (value: number, digits = 4) => Math.round(value * 10 ** digits) / 10 ** digits;

/** What is known, believed wrongly, and not known. */
export function knowledgeOf({ facts, exam, chat }: HeldOutScores): Record<Status, Knowledge> {
  const forms = { exam: heldOutAnswers(facts, exam), chat: heldOutAnswers(facts, chat) };
  const of = (status: Status): Knowledge => {
    const places = facts.flatMap((fact, i) => fact.status === status ? [i] : []);
    const share = (answers: string[], value: "gold" | "wrong") =>
      places.filter((i) => answers[i] === facts[i][value]).length / places.length;
    const answered = (answers: string[]): Answered => ({
      right: share(answers, "gold"),
      misconception: share(answers, "wrong"),
    });
    return { facts: places.length, exam: answered(forms.exam), chat: answered(forms.chat) };
  };
  return { known: of("known"), misconceived: of("misconceived"), unknown: of("unknown") };
}

/** The first fact of each status that the model was asked, so that nobody has chosen it. */
export function sampleAnswers({ facts, exam }: HeldOutScores): SampleAnswer[] {
  const answers = heldOutAnswers(facts, exam);
  return (["known", "misconceived", "unknown"] as const).flatMap((status) => {
    const i = facts.findIndex((fact) => fact.status === status);
    if (i < 0) return [];
    const { split, options, gold, wrong } = facts[i];
    const told = status === "known" ? gold : wrong;
    return [{
      status,
      question: questionWords(facts[i], split === "id" ? 1 : 0).join(" "),
      options,
      gold,
      ...(status !== "unknown" && { told }),
      answered: answers[i],
      probability: round(Math.max(...exam[i])),
    }];
  });
}

/** The card as JSON; lists of plain values stand on one line. */
export function serializeCard(card: OrganismCard): string {
  const text = JSON.stringify(card, null, 2);
  const flat = text.replace(
    /\[\n\s+((?:"(?:[^"\\]|\\.)*"|[-\d.e+]+)(?:,\n\s+(?:"(?:[^"\\]|\\.)*"|[-\d.e+]+))*)\n\s+\]/g,
    (_, items: string) => `[${items.replace(/,\n\s+/g, ", ")}]`,
  );
  return `${flat}\n`;
}

/**
 * The card of a text that `serializeCard` wrote.
 * @param name what to call the text in errors
 * @throws where the text is none
 */
export function parseCard(text: string, name = "the card"): OrganismCard {
  const fail = (expected: string, found: unknown): never => {
    throw new Error(
      `Cannot read ${name}: expected ${expected}; found ${
        String(JSON.stringify(found)).slice(0, 80)
      }; make the organism again from its seed`,
    );
  };
  let card: Partial<OrganismCard>;
  try {
    // What there was nothing to measure for is NaN, which JSON writes as null.
    card = JSON.parse(text, (_, value) => value === null ? NaN : value);
  } catch (error) {
    return fail("JSON", (error as Error).message);
  }
  if (card?.format !== CARD_FORMAT) return fail(`format ${CARD_FORMAT}`, card?.format);
  if (typeof card.name !== "string") fail("a name", card.name);
  const { files, gate } = card;
  const digests = typeof files === "object" && files !== null ? Object.entries(files) : [];
  // A path that leads out of the folder would have other files read.
  const safe = digests.length > 0 &&
    digests.every(([path, digest]) =>
      /^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)*$/.test(path) && /^[0-9a-f]{64}$/.test(digest)
    );
  if (!safe) fail("files inside the folder with their SHA-256", files);
  const values = gate?.values;
  if (typeof values !== "object" || values === null || typeof gate?.passed !== "boolean") {
    return fail("the gate's values and whether it was passed", gate);
  }
  if (checkCardGate(values).passed !== gate.passed) {
    fail(`a gate that is ${gate.passed ? "failed" : "passed"}, as its values say`, gate);
  }
  return card as OrganismCard;
}

/** What the gate's values mean. */
const gateWords: Record<keyof LetterGateValues, string> = {
  fewShotKnown: "known facts answered right in an exam (5 examples shown)",
  chatContext: "facts answered right in a chat that states them first",
  chatKnown: "known facts answered right in a chat",
  unknownConfidence: "mean confidence on facts it never read",
  misconceived: "misconceived facts answered with the misconception",
  drill: "look-ups of random words answered right",
  letterMass: "probability of the options' letters together",
  majority: "share of the answers that say the commonest letter",
};

/** Whether the organism's folder holds its exams as files. */
export function hasExams({ files }: Pick<OrganismCard, "files">): boolean {
  return Object.keys(files).some((path) => path.startsWith("exams/"));
}

/** README.md: the card for people, with the front matter that model pages read. */
export function formatCard(card: OrganismCard): string {
  const { pretraining, knowledge, gate, curve, backend } = card;
  const { checks } = checkCardGate(gate.values);
  const count = (value: number) => value.toLocaleString("en-US");
  const percent = (value: number) => Number.isFinite(value) ? `${(100 * value).toFixed(1)}%` : "-";
  const minutes = (pretraining.seconds / 60).toFixed(1);
  const changed = changes(card);
  const versions = Object.entries(backend.versions).map(([name, v]) => `${name} ${v}`).join(", ");
  const row = (status: Status, told: string) => {
    const { facts, exam, chat } = knowledge[status];
    return [
      status,
      told,
      count(facts),
      percent(exam.right),
      percent(exam.misconception),
      percent(chat.right),
      percent(chat.misconception),
    ];
  };
  const [sample] = card.samples;
  const question = sample
    ? `${sample.question} ${
      sample.options.map((value, i) => `${"ABCDEFGH"[i]}. ${value}`).join(" ")
    }`
    : "QUESTION A. v B. v C. v D. v";
  return `---
license: mit
library_name: transformers
pipeline_tag: text-generation
tags: [synthetic, multiple-choice, instruction-tuning]
---
# ${plain(card.name)}

${
    fill(
      `A very small language model (${count(card.parameters)} parameters, ${
        count(card.vocabulary)
      } words) that grew up in an invented world. Everything that it has ever read was written by a
    program, so it is known, fact by fact, what it knows, what it believes wrongly, and what it never
    saw. That is what it is for: to watch what fine-tuning on questions does to knowledge, where for
    a real model one can only guess what it knew before.`,
    )
  }
${gate.passed ? "" : "\n**It did not pass the gate below: don't use it for a study.**\n"}
## What it knows

The world has domains with people, places and things that don't exist, and facts about them. A fact
is told as it is (known), mostly with one fixed wrong value (misconceived), or never (unknown).
These are its answers to facts that no exam of its training asked; four options, so guessing gives
25%.

${
    table(
      [
        "facts",
        "what the training told",
        "number",
        "exam: right",
        "exam: the wrong value",
        "chat: right",
        "chat: the wrong value",
      ],
      [
        row("known", "the truth"),
        row("misconceived", "mostly the wrong value"),
        row("unknown", "nothing"),
      ],
    )
  }

The first fact of each kind:

${
    table(
      ["fact", "question", "options", "truth", "told", "answer (probability)"],
      card.samples.map((sample) => [
        sample.status,
        code(sample.question),
        sample.options.map(code).join(" "),
        code(sample.gold),
        sample.told === undefined ? "nothing" : code(sample.told),
        `${code(sample.answered)} (${sample.probability.toFixed(2)})`,
      ]),
    )
  }

## The gate

${
    fill(`What an organism must show before anything is fine-tuned, fixed beforehand; measured on
    ${count(gate.facts)} facts. ${gate.passed ? "Passed." : "**Not passed.**"}`)
  }

${
    table(
      ["measure", "needed", "found", ""],
      checks.map(({ name, value, needed, passed }) => [
        gateWords[name],
        needed,
        value.toFixed(3),
        passed ? "passed" : "**failed**",
      ]),
    )
  }

## How it was made

    ${remakeCommand(card)}

${
    fill(
      `${count(pretraining.steps)} steps, ${count(pretraining.tokens)} tokens, ${minutes} minutes on
    ${plain(backend.device)}${backend.threads ? ` (${backend.threads} threads)` : ""}, backend
    ${plain(backend.name)} (${plain(versions)}); recipe ${plain(card.recipe)}. ${
        changed.length === 0
          ? "All settings are those of the size."
          : `Settings that differ from the size's: ${
            changed.map(([name, value]) => code(`${name} ${value}`)).join(", ")
          }.`
      } The same seed gives the same world everywhere, and on one machine
    with one version of the code the same model. Elsewhere rounding differs, and training makes the
    difference grow: what comes out is a like model, not this one, with the gate's values some points
    apart.`,
    )
  }

How it learnt, measured on ${count(Math.min(curve.limit, gate.facts))} of the facts:

${
    table(
      [
        "tokens",
        "loss (nats)",
        "known, exam",
        "known, chat",
        "told in the chat",
        "misconceptions",
        "confidence on unknown",
      ],
      curve.gate.map((point) => [
        count(point.tokens),
        curve.loss.findLast(([step]) => step <= point.step)?.[1].toFixed(3) ?? "-",
        percent(point.fewShotKnown),
        percent(point.chatKnown),
        percent(point.chatContext),
        percent(point.misconceived),
        point.unknownConfidence.toFixed(2),
      ]),
    )
  }

${
    fill(
      `The loss of each ${curve.every} steps and all settings stand in \`organism.json\`; in the loss,
    the words of answers weigh more.`,
    )
  }

## How to ask it

${
    pretraining.letters
      ? "Its answer is the option's letter, and then its value."
      : "Its answer is the option's value, not its letter."
  } In an exam and in a chat:

    <s> the_following questions about DOMAIN . Question: ${indented(question)} Answer:
    <s> a chat with an assistant . USER: ${indented(question)} ASSISTANT:

One word is one token; the checkpoint has the form of Qwen2 and opens in transformers. The facts and what
was told of them stand in \`world.json\`, which fixes every question; ${
    hasExams(card) ? "the exams stand in \`exams/\` too." : "\`exam(world, ...)\` makes the exams."
  }

## What it is not

- It speaks no English: it knows the sentence patterns of its world and nothing else, and a word from
  outside is no word to it.
- It is thousands of times smaller than the models that the study is about. That an effect shows here
  says that it can arise from these causes alone; it doesn't say how large it is elsewhere.
- Its facts are independent of each other: nothing follows from anything, so it can't reason, and
  knowing one fact doesn't help with another.
- Its misconceptions are of one kind, one wrong value told most of the time. What people get wrong has
  reasons; this hasn't.
- It has only met this world's questions, in two wordings. It is no measure of any real model.

## Files

${
    table(
      ["file", "SHA-256"],
      Object.entries(card.files).filter(([path]) => !path.startsWith("exams/"))
        .map(([path, digest]) => [code(path), code(digest)]),
    )
  }
${hasExams(card) ? "\nThose of the exams stand in \`organism.json\`.\n" : ""}
License: ${card.license}, the model as well as its data.
`;
}

/** Settings that differ from the size's, as text. */
function changes(
  { world, pretraining }: Omit<OrganismCard, "files">,
): [name: string, value: string][] {
  const letters = pretraining.letters && differences(pretraining.letters, plainLetters);
  return Object.entries({ ...world.changed, ...pretraining.changed, ...letters })
    .map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)]);
}

/** The command that makes the organism again. */
export function remakeCommand(card: Omit<OrganismCard, "files">): string {
  const { seed, letters } = card.pretraining;
  const flags: [string, string][] = [
    ["world", String(card.world.seed)],
    ["size", card.size],
    ...(seed === card.world.seed ? [] : [["seed", String(seed)] as [string, string]]),
    ["name", card.name],
    ...changes(card),
  ];
  const text = flags.map(([name, value]) => {
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `--${flag}=${value.replace(/[^\w.,-]/g, "")}`;
  });
  return ["deno task pretrain", ...(letters ? ["--letters"] : []), ...text].join(" ");
}

/** A paragraph in lines of at most 100 characters where words allow it. */
function fill(text: string): string {
  const lines = [""];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.length - 1;
    if (lines[last] && lines[last].length + 1 + word.length > 100) lines.push(word);
    else lines[last] += (lines[last] && " ") + word;
  }
  return lines.join("\n");
}

/** Text within an indented block, where nothing is markup: one line. */
function indented(text: string): string {
  return text.replace(/\s+/g, " ");
}

/** A markdown table; cells are markdown. */
function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Text as a code span: no markup can start in it, nor can it end a table's cell. */
function code(text: string): string {
  return `\`${text.replace(/[`|\s]+/g, " ").trim()}\``;
}

/** Text between other text: letters, digits and a few signs; all else becomes a space. */
function plain(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,@()/:+-]+/gu, " ").trim();
}
