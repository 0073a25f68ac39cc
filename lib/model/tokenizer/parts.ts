/**
 * Which parts of a tokenizer.json are read, and as what @huggingface/tokenizers has to have them to
 * give what the tokenizers library in Rust gives. Any other part or option is refused by name: read
 * otherwise than in Rust, it would give other ids, and nobody would see it.
 */
import data from "../../../data/tokenizers.json" with { type: "json" };
import { quote } from "../../platform/runtime/quote.ts";

export type Fields = Record<string, unknown>;

/** What cuts texts into words of a known pattern. */
export const isolate = (Regex: string): Fields => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Isolated",
  invert: false,
});

const bytes = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const gpt2Words = isolate(data.patterns.gpt2);
const startingSpace = { type: "Replace", pattern: { Regex: "\\A[^ ]" }, content: " $&" };

/** A pattern for the package, which knows no case of s and k beyond ASCII. */
const unfolded = (regex: string): string =>
  regex.replaceAll(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    "(?:'[sS\u017f]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
  );

const repeat = String.raw`[*+?]|\{\d+(?:,\d*)?\}`;
const letter = String.raw`\\[pP]\{\w+\}|\\[rntsS]|\\[^\w]`;
/** What the package reads as Rust does; no group repeats, which could take years. */
const common = new RegExp(
  String
    .raw`^(?:(?:${letter}|\[\^?(?:${letter}|(?!&&)[^\\[\]])+\]|[^\\[\](){}.*+?^$|])(?:${repeat})?|` +
    String.raw`\((?:\?(?::|=|!|<=|<!))?|\)\??|\|)*$`,
  "u",
);

type Reading = readonly [part: Fields, ...asRead: Fields[]];

/** Each part that is read and, where they differ, the package's parts that do what it says. */
const readings: Record<"normalizer" | "pre_tokenizer" | "decoder", Reading[]> = {
  normalizer: [
    ...["NFC", "NFD", "NFKC", "NFKD"].map((type): Reading => [{ type }]),
    [{ type: "Prepend", prepend: "▁" }],
    [{ type: "Replace", pattern: { String: " " }, content: "▁" }],
  ],
  // Only a Split has Unicode's white space and digits in the package.
  pre_tokenizer: [
    [bytes],
    [{ ...bytes, use_regex: true }, gpt2Words, bytes],
    [{ ...bytes, use_regex: true, add_prefix_space: true }, startingSpace, gpt2Words, bytes],
    [{ type: "Digits", individual_digits: true }, isolate("\\p{N}")],
    [{ type: "Digits", individual_digits: false }, isolate("\\p{N}+")],
    [{ type: "WhitespaceSplit" }, { ...isolate("\\s"), behavior: "Removed" }],
    ...["always", "first", "never"].flatMap((prepend_scheme): Reading[] => {
      const marked = { type: "Metaspace", replacement: "▁", prepend_scheme };
      return [
        [{ ...marked, split: false }, marked],
        [{ ...marked, split: true }, marked, isolate("▁[^▁]*|[^▁]+")],
      ];
    }),
  ],
  decoder: [
    [{ type: "ByteLevel" }],
    [{ type: "ByteFallback" }],
    [{ type: "Fuse" }],
    [{ type: "Replace", pattern: { String: "▁" }, content: " " }],
    [{ type: "Strip", content: " ", start: 1, stop: 0 }],
  ],
};

/** What older files leave out. */
const usual: Fields = {
  ByteLevel: { add_prefix_space: true, use_regex: true },
  Metaspace: { prepend_scheme: "always", split: true },
};

/** What decides neither ids nor texts. */
const idle = {
  normalizer: [] as string[],
  pre_tokenizer: ["trim_offsets"],
  decoder: ["add_prefix_space", "trim_offsets", "use_regex"],
};

/** A part in one way of writing. */
function written(kind: keyof typeof readings, part: Fields): string {
  const { str_rep: _, add_prefix_space, ...fields } = part;
  // Metaspace's in older files, where it must not contradict the scheme.
  const isOld = part.type === "Metaspace" &&
    (add_prefix_space === true || add_prefix_space === false && part.prepend_scheme === "never");
  return JSON.stringify(
    Object.entries({ ...usual[String(part.type)] as Fields, ...isOld ? fields : part })
      .filter(([name]) => !idle[kind].includes(name)).sort(),
  );
}

const regexOf = ({ pattern }: Fields) => String((pattern as Fields | undefined)?.Regex ?? "");

/** A part's own parts one after another: a Sequence has several under the name `list`, null none. */
export function partsOf(config: unknown, list: string): Fields[] {
  if (config === null || config === undefined) return [];
  const fields = config as Fields;
  return fields.type === "Sequence"
    ? (fields[list] as unknown[]).flatMap((part) => partsOf(part, list))
    : [fields];
}

/** The parts of a kind as the package has to have them. @throws naming one that is not read here */
export function readParts(json: Fields, kind: keyof typeof readings): Fields[] {
  const parts = partsOf(json[kind], kind.replace("_", "") + "s");
  const refuse = (part: Fields, why: string): never => {
    throw new Error(`the ${kind.replace("_", "-")} ${quote(part)}${why}`);
  };
  const single = kind === "decoder" ? "ByteLevel" : "Metaspace";
  const alone = parts.find(({ type }) => type === single);
  if (alone && parts.length > 1) refuse(alone, " beside others");
  return parts.flatMap((part) => {
    const name = written(kind, part), source = regexOf(part), regex = unfolded(source);
    if (name === written(kind, isolate(source)) && common.test(regex)) return [isolate(regex)];
    const reading = readings[kind].find(([known]) => written(kind, known) === name) ??
      refuse(part, ", which is not read here");
    return reading.length > 1 ? reading.slice(1) : [part];
  });
}
