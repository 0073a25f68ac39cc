/** The authors' released answers: what the method says of the groups, and two of their models compared. */
import type { Answer } from "../../lib/question.ts";
import { compareAnswers } from "../../lib/evaluate.ts";
import type { ReleasedAnswer } from "../../lib/dataset/released.ts";
import { readReleasedGroups } from "../../lib/study/released.ts";

import assert from "node:assert/strict";

const reference = new URL("../../../shared/reference-data/group/", import.meta.url).pathname;

const there = await Deno.stat(reference).then(() => true, () => false);
if (!there) console.log("released.test.ts: the authors' released rows are not here: skipped");

const published = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !there, fn });

/** Items of each group, as published. */
const sizes = {
  "llama-2-7b/engineering": 738,
  "llama-2-7b/history": 996,
  "llama-2-70b/engineering": 712,
};

published(
  "released groups: all right or all wrong, trained on gold or belief, sure, of one size",
  async () => {
    for (const [cell, size] of Object.entries(sizes)) {
      // Each check is made here again, so that it rests on no code of the audit.
      const { groups: { har, inc, self } } = await readReleasedGroups(reference + cell);
      const rows = { har, inc, ...(self && { self }) };
      for (const [group, answers] of Object.entries(rows)) {
        assert.equal(answers.length, size, `${cell} ${group}`);
        for (const answer of answers) {
          const { id, predicted, output, probabilities, predictedProbability } = answer;
          const name = `${cell} ${group} ${id}`;
          assert.equal(predicted === answer.answer, group === "har", name);
          assert.equal(output, group === "self" ? predicted : answer.answer, name);
          assert.ok(predictedProbability >= 0.5, name);
          assert.equal(Math.max(...probabilities), probabilities[predicted], name);
          assert.ok(Math.abs(probabilities.reduce((a, b) => a + b, 0) - 1) < 1e-5, name);
        }
      }
      assert.equal(self === undefined, cell === "llama-2-7b/history");
      if (self) {
        assert.deepEqual(
          self.map(({ question }) => question),
          inc.map(({ question }) => question),
        );
      }
    }
  },
);

published(
  "two released models agree in part: KL and rank consistency are in their bounds",
  async () => {
    const answersOf = async (model: string) => {
      const { groups: { har, inc } } = await readReleasedGroups(`${reference}${model}/engineering`);
      const key = ({ question, choices }: ReleasedAnswer) => JSON.stringify([question, choices]);
      return new Map([...har, ...inc].map((row): [string, Answer] => [key(row), row]));
    };
    const small = await answersOf("llama-2-7b"), large = await answersOf("llama-2-70b");
    const shared = [...small].filter(([key]) => large.has(key));
    const before = shared.map(([, answer]) => answer);
    const after = shared.map(([key]) => large.get(key)!);
    const { n, kl, rank, cosine, items, lost, gained } = compareAnswers(before, after);
    const right = (answers: Answer[]) => answers.filter(({ correct }) => correct).length;
    console.log(
      `llama-2-7b and llama-2-70b, engineering: n = ${n} shared questions, KL ${
        kl.toFixed(3)
      } nats, ` +
        `rank consistency ${rank.toFixed(3)}, cosine ${cosine.toFixed(3)}, right ${
          right(before)
        } ` +
        `and ${right(after)}`,
    );
    assert.ok(n > 100, String(n));
    for (const item of items) {
      assert.ok(Number.isFinite(item.kl) && item.kl >= 0, String(item.id));
      assert.ok(item.rank >= -1 && item.rank <= 1, String(item.id));
    }
    assert.equal(right(after) - right(before), gained - lost);
    // Of the same questions two models think alike more than chance has it, and not the same.
    assert.ok(kl > 0 && rank > 0 && rank < 1 && cosine > 0 && cosine < 1);
    const same = compareAnswers(before, before);
    assert.ok(Math.abs(same.kl) < 1e-12 && Math.abs(same.rank - 1) < 1e-12);
    // Against another question's answers the agreement is less.
    const turned = before.map((answer, i) => ({
      ...answer,
      probabilities: after[(i + 1) % n].probabilities,
    }));
    assert.ok(compareAnswers(before, turned).rank < rank);
  },
);
