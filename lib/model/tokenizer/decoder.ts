/** tokenizer.json's decoders: from tokens back to a text. */
import { byteOf, type Fields, literal, prependScheme } from "./words.ts";

type Decoder = (tokens: string[]) => string[];

const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const encoder = new TextEncoder();

/** The text of tokens, spaces between without a decoder. @throws naming one that is not read */
export function createDecoder(config: unknown): (tokens: string[]) => string {
  if (config === null || config === undefined) return (tokens) => tokens.join(" ");
  const decode = decoderOf(config as Fields);
  return (tokens) => decode(tokens).join("");
}

function decoderOf(config: Fields): Decoder {
  switch (config.type) {
    case "Sequence": {
      const all = (config.decoders as Fields[]).map(decoderOf);
      return (tokens) => all.reduce((result, decode) => decode(result), tokens);
    }
    case "ByteLevel":
      return (tokens) => {
        const bytes = tokens.flatMap((token) => {
          const own = Array.from(token, byteOf);
          return own.includes(undefined) ? [...encoder.encode(token)] : own as number[];
        });
        return [lossy.decode(Uint8Array.from(bytes))];
      };
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "Replace": {
      const from = literal(config.pattern);
      return (tokens) => tokens.map((token) => token.replaceAll(from, () => `${config.content}`));
    }
    case "Strip":
      return (tokens) => tokens.map((token) => strip(token, config));
    case "Metaspace": {
      const sign = String(config.replacement ?? "▁"), scheme = prependScheme(config);
      return (tokens) =>
        tokens.map((token, i) => token.replaceAll(sign, i === 0 && scheme !== "never" ? "" : " "));
    }
    default:
      throw new Error(`the decoder ${config.type}, which is not read here`);
  }
}

/** Runs of byte tokens as their text; each of a run that is none becomes a replacement sign. */
function byteFallback(tokens: string[]): string[] {
  const result: string[] = [];
  let run: number[] = [];
  const end = () => {
    try {
      if (run.length > 0) result.push(strict.decode(Uint8Array.from(run)));
    } catch {
      result.push(...run.map(() => "\ufffd"));
    }
    run = [];
  };
  for (const token of tokens) {
    const [, byte] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? [];
    if (byte !== undefined) run.push(parseInt(byte, 16));
    else {
      end();
      result.push(token);
    }
  }
  end();
  return result;
}

function strip(token: string, { content, start, stop }: Fields): string {
  const letters = Array.from(token);
  let from = 0, to = letters.length;
  while (from < Number(start) && letters[from] === content) from++;
  while (letters.length - to < Number(stop) && letters[to - 1] === content) to--;
  return letters.slice(from, Math.max(from, to)).join("");
}
