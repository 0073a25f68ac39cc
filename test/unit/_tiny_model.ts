/** A real model of one narrow layer that reads bytes, untrained, in the paper's format. */
import * as tf from "@tensorflow/tfjs";
import { parseConfiguration } from "../../lib/model/configuration.ts";
import "../../lib/model/files/attach.ts";
import { LanguageModel } from "../../lib/model/language_model.ts";
import { paperFormat } from "../../lib/prompt.ts";
import { tokenizerFromFiles } from "../../lib/model/tokenizer.ts";
import { initialParameters } from "../../lib/organism/initial.ts";
import { organismConfiguration } from "../../lib/world/pretraining.ts";
import { pretrainingSizes } from "../../lib/world/settings.ts";

/** GPT-2's letters for the 256 bytes: printable ones stand for themselves, the others follow. */
function byteLetters(): string[] {
  const printable = (byte: number) =>
    byte >= 33 && byte <= 126 || byte >= 161 && byte <= 172 || byte >= 174;
  let next = 256;
  return Array.from(
    { length: 256 },
    (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++),
  );
}

const END = "</s>";
const words = [END, ...byteLetters()];
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
const files = new Map([
  [
    "tokenizer.json",
    JSON.stringify({
      version: "1.0",
      added_tokens: [{ id: 0, content: END, special: true, normalized: false }],
      pre_tokenizer: { ...byteLevel, use_regex: false },
      decoder: byteLevel,
      model: {
        type: "BPE",
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
        merges: [],
      },
    }),
  ],
  ["tokenizer_config.json", JSON.stringify({ eos_token: END })],
]);

/** The backend must be open. */
export function tinyModel(
  { seed = 3, batchTokens }: { seed?: number; batchTokens?: number } = {},
): LanguageModel {
  const settings = { ...pretrainingSizes.small, width: 16, heads: 2, layers: 1, mlpWidth: 16 };
  const vocabularySize = words.length;
  return new LanguageModel({
    name: "tiny",
    config: parseConfiguration({
      ...organismConfiguration(settings, vocabularySize),
      max_position_embeddings: 4096,
      bos_token_id: null,
      eos_token_id: 0,
    }),
    parameters: new Map(
      [...initialParameters(settings, { vocabularySize, seed })].map((
        [name, { shape, data }],
      ) => [name, tf.tidy(() => tf.variable(tf.tensor(data, shape)))]),
    ),
    tokenizer: tokenizerFromFiles(files),
    format: paperFormat,
    batchTokens,
  });
}
