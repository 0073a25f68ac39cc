/** The exam of common facts (data/facts) as material: what a real model is studied on by default. */
import { join } from "node:path";
import { type FactDomain, factDomains, type FactSplit } from "../dataset/facts.ts";
import { readQuestions } from "../dataset/read.ts";
import { checkRejected } from "../dataset/rejected.ts";
import type { FinetuneSettings } from "../model/finetune_settings.ts";
import { ROOT } from "../platform/cache.ts";
import type { Exam, Material } from "../cell.ts";
import type { Settings } from "./settings.ts";

/** Questions of each other domain in OOD; `--full` takes their whole ID exams. */
const USUAL = { pool: undefined, test: undefined, oodEach: 20 };

/** With `quick`: one domain, of which less is known than of others, so that its groups are not empty. */
const QUICK = { domains: ["chemistry"] as FactDomain[], pool: 60, test: 20, oodEach: 5 };

/**
 * At most so many items of each group: in batches of 8 as many steps as the paper's groups have (2
 * x 28 x 3 / 8 = 21; there 2 x 900 x 3 / 256 = 21).
 */
export const FACT_GROUP_SIZE = 28;

/**
 * The learning rate of models of 135M to 360M parameters, chosen before any outcome. The smaller the model,
 * the larger its rate (Brown et al. 2020, table 2.1: 125M takes five times that of 6.7B).
 */
const SMALL_RATE = 1e-4;

/** What facts change of how a model is fine-tuned; a rate is known for small models alone. */
export function factFinetuning({ model, lora }: Settings): Partial<FinetuneSettings> {
  const small = /(^|\W)smollm2?(-(135|360)m.*)?$/i.test(model) && lora === undefined;
  return { batchSize: 8, ...(small ? { learningRate: SMALL_RATE } : {}) };
}

/** The exam's domains; OOD are the first questions of the other domains' ID. */
export async function factMaterial(
  { domains, limit, quick, full }: Pick<Settings, "domains" | "limit" | "quick" | "full">,
): Promise<Pick<Material, "domains">> {
  const read = async (domain: FactDomain, split: FactSplit) => {
    const path = join(ROOT, "data", "facts", "exam", domain, `${split}.jsonl`);
    const found = await readQuestions(path);
    checkRejected(found, { from: `${path}, which data/facts/make.ts makes`, most: 0 });
    return found.questions;
  };
  const { pool, test, oodEach } = quick ? QUICK : USUAL;
  const each = full ? limit : Math.min(oodEach, limit ?? Infinity);
  const most = { pool: limit ?? pool, test: limit ?? test, each };
  const exams = new Map(
    await Promise.all(factDomains.map(async (domain) => {
      const [dev, pool, homo, idDev, id] = await Promise.all(
        (["dev", "pool", "homo", "id-dev", "id"] as const).map((split) => read(domain, split)),
      );
      const make = (name: string, demonstrations: typeof dev, questions: typeof dev): Exam => (
        { name: `${domain}/${name}`, questions, demonstrations }
      );
      return [domain, {
        pool: make("pool", dev, pool.slice(0, most.pool)),
        homo: make("homo", dev, homo.slice(0, most.test)),
        id: make("id", idDev, id.slice(0, most.test)),
        // Another exam than ID by its name, as it is shorter.
        sample: make("id of other domains", idDev, id.slice(0, most.each)),
      }] as const;
    })),
  );
  const studied = (domains ?? (quick ? QUICK.domains : factDomains)) as readonly FactDomain[];
  const material: Material["domains"] = new Map(studied.map((domain) => {
    const { pool, homo, id } = exams.get(domain)!;
    const others = factDomains.filter((other) => other !== domain);
    const ood = others.map((other) => exams.get(other)!.sample);
    return [domain, { pool, suites: { homo: [homo], id: [id], ood } }];
  }));
  return { domains: material };
}
