/** The card of an organism for people: the README.md that stands beside the model. */
import { Template } from "@huggingface/jinja";
import labels from "../../data/labels.json" with { type: "json" };
import { wrap } from "../figure/_text.ts";
import { percent } from "../figure/number.ts";
import { checkGate } from "../world/gate.ts";
import { plainLetters } from "../world/letters.ts";
import { differences, hasExams, type OrganismCard } from "./card.ts";

/** README.md: the card for people, with the front matter that model pages read. */
export function formatCard(card: OrganismCard): string {
  const { gate, curve, backend } = card;
  const [sample] = card.samples;
  const template = new URL("../../data/organisms/card.md.jinja", import.meta.url);
  const text = new Template(Deno.readTextFileSync(template)).render({
    ...card,
    ...{ code, count, fill, fixed, percent: share, plain },
    exams: hasExams(card),
    checks: checkGate(gate.values).checks
      .map((check) => ({ ...check, words: labels.card[check.name] })),
    command: remakeCommand(card),
    versions: Object.entries(backend.versions).map(([name, v]) => `${name} ${v}`).join(", "),
    changed: changes(card).map(([name, value]) => `${name} ${value}`),
    measured: Math.min(curve.limit, gate.facts),
    points: curve.gate.map((point) => ({
      ...point,
      loss: curve.loss.findLast(([step]) => step <= point.step)?.[1].toFixed(3) ?? "-",
    })),
    question: sample
      ? [sample.question, ...sample.options.map((value, i) => `${"ABCDEFGH"[i]}. ${value}`)]
        .join(" ").replace(/\s+/g, " ") // within an indented block nothing is markup
      : "QUESTION A. v B. v C. v D. v",
    digests: Object.entries(card.files).filter(([path]) => !path.startsWith("exams/"))
      .map(([path, digest]) => ({ path, digest })),
  });
  return `${text}\n`;
}

const count = (value: number) => value.toLocaleString("en-US");
const fixed = (value: number, digits: number) => value.toFixed(digits);
const share = (value: number) => Number.isFinite(value) ? percent(value) : "-";

function changes(
  { world, pretraining }: Omit<OrganismCard, "files">,
): [name: string, value: string][] {
  const letters = pretraining.letters && differences(pretraining.letters, plainLetters);
  return Object.entries({ ...world.changed, ...pretraining.changed, ...letters })
    .map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)]);
}

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

/** A paragraph in lines of at most 100 characters. */
const fill = (text: string) => wrap(text, 100).join("\n");

/** Text as a code span: no markup can start in it, nor can it end a table's cell. */
function code(text: string): string {
  return `\`${text.replace(/[`|\s]+/g, " ").trim()}\``;
}

/** Text between other text: letters, digits and a few signs; all else becomes a space. */
function plain(text: string): string {
  return text.replace(/[^\p{L}\p{N} .,@()/:+-]+/gu, " ").trim();
}
