/** Greedy generation: tokens a second here and by transformers' generate, the same weights and prompts. */
import {
  attendedBy,
  type Comparison,
  forwardFlops,
  interleave,
  median,
  type Side,
} from "./_rounds.ts";
import type { Answers } from "./inference_peer.ts";
import type { Peer } from "./_peer.ts";
import { evenly, type InferenceOptions, openOurs, openPython } from "./probing.ts";

export interface GenerationOptions extends InferenceOptions {
  /** New tokens after each prompt. Default: 64. */
  maxNewTokens?: number;
  /** Prompts of a round. Default: 2. */
  count?: number;
}

/** @throws when a peer fails, or when the sides do not write the same tokens */
export async function benchmarkGeneration(options: GenerationOptions): Promise<Comparison> {
  const { source, python, rounds, threads, maxNewTokens = 64, count = 2, onProgress } = options;
  const folder = await Deno.makeTempDir({ prefix: "self-aligning-bench-" });
  const peers: Peer[] = [];
  try {
    const ours = openOurs(threads);
    peers.push(ours);
    onProgress(`generation: ${source} opens`);
    const { about, config, parameters } = await ours.ask<Answers["open"]>({ do: "open", source });
    const { prompts: all, from } = await ours.ask<Answers["questions"]>({
      do: "questions",
      count: 64,
    });
    // Five-shot prompts, cut to what the authors' prompt for an explanation has at most.
    const chosen = evenly(all.map((row) => row.length), count);
    const prompts = chosen.map((i) => all[i].slice(-PROMPT_TOKENS));
    const order = { do: "generate", prompts, maxNewTokens };
    const written = await ours.ask<Answers["generate"]>(order);
    const lengths = prompts.map((row) => row.length);
    const sum = (of: (length: number) => number) => lengths.reduce((a, b) => a + of(b), 0);
    const side = (name: string, peer: Peer, about: string): Side => ({
      name,
      pid: peer.pid,
      about,
      units: count * maxNewTokens,
      flops: forwardFlops(config, {
        tokens: sum((length) => length + maxNewTokens - 1),
        attended: sum((length) => attendedBy(0, length + maxNewTokens - 1)),
        heads: count * maxNewTokens,
      }),
      run: async () => (await peer.ask<{ seconds: number }>(order)).seconds,
    });
    const sides = [side("self-aligning", ours, about)];
    const notes = [
      `${source}, ${parameters.toLocaleString("en-US")} parameters, float32; ${count} prompts of ` +
      `${median(lengths)} tokens from ${from}, one at a time, ${maxNewTokens} new tokens each, ` +
      "greedy, reading the prompt included",
    ];
    if (python === undefined) {
      notes.push("transformers is missing: name a Python with it by SELF_ALIGNING_PYTHON");
    } else {
      await ours.ask({ do: "save", folder });
      const peer = openPython(python, "transformers");
      peers.push(peer);
      onProgress("generation: transformers opens");
      const opened = await peer.ask<{ about: string }>({
        do: "open",
        tool: "transformers",
        folder,
        threads,
      });
      const theirs = await peer.ask<{ tokens: number[][] }>(order);
      const same = theirs.tokens.map((row, i) => {
        const at = row.findIndex((id, k) => id !== written.tokens[i][k]);
        return at < 0 ? maxNewTokens : at;
      });
      if (same.some((n) => n < maxNewTokens)) {
        throw new Error(
          `Cannot compare generation: expected the same ${maxNewTokens} tokens; they part after ` +
            `${same.join(", ")}; see test/numerics/generate.test.ts`,
        );
      }
      notes.push(`token for token the same as transformers': ${count * maxNewTokens} of them`);
      sides.push(side("transformers generate", peer, opened.about));
    }
    const measured = await interleave(sides, {
      rounds,
      unit: "tokens/s",
      onProgress: (line) => onProgress(`generation: ${line}`),
    });
    return { name: "generation", unit: "tokens/s", rounds, sides: measured, notes };
  } finally {
    for (const peer of peers) await peer.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const PROMPT_TOKENS = 192;
