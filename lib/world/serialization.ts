/**
 * A world as JSON, so that it can be shipped beside the models that grew up in it. It is checked by
 * making it again: `serializeWorld(createWorld({ seed, settings }))` gives the same text.
 */
import { checkWorldSettings, type WorldSettings } from "./settings.ts";
import { FUNCTION_WORDS } from "./names.ts";
import {
  type Domain,
  type Fact,
  type Relation,
  type Split,
  SPLITS,
  type Status,
  STATUSES,
  type World,
} from "./world.ts";

const FORMAT = "synthetic-world/1";
const FACT_FIELDS =
  "entity relation gold wrong options status split frequency (indices into the lists above)";

/** The world as JSON, one fact a line; words stand once, facts refer to them by index. */
export function serializeWorld(world: World): string {
  const domains = world.domains.map((domain) => {
    const facts = domain.facts.map((fact) => {
      const relation = domain.relations.findIndex(({ noun }) => noun === fact.noun);
      const index = (value: string) => domain.relations[relation].values.indexOf(value);
      return JSON.stringify([
        domain.entities.indexOf(fact.entity),
        relation,
        index(fact.gold),
        index(fact.wrong),
        fact.options.map(index),
        fact.status,
        fact.split,
        fact.frequency,
      ]);
    });
    return `{"name":${JSON.stringify(domain.name)},\n"entities":${
      JSON.stringify(domain.entities)
    },\n"relations":[\n${domain.relations.map((r) => JSON.stringify(r)).join(",\n")}],\n` +
      `"factFields":${JSON.stringify(FACT_FIELDS)},\n"facts":[\n${facts.join(",\n")}]}`;
  });
  return `{"format":${JSON.stringify(FORMAT)},\n"seed":${JSON.stringify(world.seed)},\n` +
    `"settings":${JSON.stringify(world.settings)},\n` +
    `"neutralWords":${JSON.stringify(world.neutralWords)},\n"domains":[\n${
      domains.join(",\n")
    }]}\n`;
}

/**
 * The world of a text that `serializeWorld` wrote.
 * @param name what to call the text in errors.
 * @throws where the text is no world, or one that breaks a world's rules.
 */
export function parseWorld(text: string, name = "the world"): World {
  const fail = (expected: string, found: unknown): never => {
    throw new Error(
      `Cannot read ${name}: expected ${expected}; found ${
        String(JSON.stringify(found)).slice(0, 80)
      }; ` +
        `make it again from its seed`,
    );
  };
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    return fail("JSON", (error as Error).message);
  }
  if (data?.format !== FORMAT) fail(`format ${FORMAT}`, data?.format);
  if (typeof data.seed !== "number" && typeof data.seed !== "string") fail("a seed", data.seed);
  if (typeof data.settings !== "object" || data.settings === null) {
    fail("settings", data.settings);
  }
  const settings = data.settings as WorldSettings;
  checkWorldSettings(settings);

  const seen = new Set<string>([...FUNCTION_WORDS, ...settings.domains]);
  const words = (list: unknown, count: number, what: string): string[] => {
    if (!Array.isArray(list) || list.length !== count) {
      return fail(`${count} ${what}`, list);
    }
    for (const word of list) {
      if (typeof word !== "string" || !/^[a-z_]+$/.test(word) || seen.has(word)) {
        fail(`${what}: different lowercase words`, word);
      }
      seen.add(word);
    }
    return list;
  };
  const neutral = words(data.neutralWords, settings.neutralWords, "neutral words");
  if (!Array.isArray(data.domains) || data.domains.length !== settings.domains.length) {
    fail(`${settings.domains.length} domains`, data.domains?.length);
  }
  const domains = settings.domains.map((domainName, d): Domain => {
    const raw = data.domains[d];
    if (raw?.name !== domainName) fail(`the domain ${domainName}`, raw?.name);
    const entities = words(raw.entities, settings.entities, `entities of ${domainName}`);
    if (!Array.isArray(raw.relations) || raw.relations.length !== settings.relations) {
      fail(`${settings.relations} relations of ${domainName}`, raw.relations?.length);
    }
    const relations = (raw.relations as Relation[]).map((relation): Relation => {
      const [noun, verb] = words([relation?.noun, relation?.verb], 2, `relations of ${domainName}`);
      return { noun, verb, values: words(relation.values, settings.values, `values of ${noun}`) };
    });
    const count = SPLITS.reduce((total, split) => total + settings[split], 0);
    if (!Array.isArray(raw.facts) || raw.facts.length !== count) {
      fail(`${count} facts of ${domainName}`, raw.facts?.length);
    }
    const facts = (raw.facts as unknown[]).map((row) => {
      const fact = Array.isArray(row) ? readFact(row, domainName, entities, relations) : undefined;
      if (fact === undefined || fact.options.length !== settings.options) {
        return fail(`a fact of ${domainName}`, row);
      }
      return fact;
    });
    if (new Set(facts.map((fact) => fact.id)).size !== facts.length) {
      fail(`facts of ${domainName} about different pairs`, "a pair twice");
    }
    for (const split of SPLITS) {
      const found = facts.filter((fact) => fact.split === split).length;
      if (found !== settings[split]) fail(`${settings[split]} ${split} facts`, found);
    }
    return { name: domainName, entities, relations, facts };
  });
  return { seed: data.seed, settings, domains, neutralWords: neutral };
}

/** A fact of its row, or undefined where the row breaks a rule. */
function readFact(
  row: unknown[],
  domain: string,
  entities: string[],
  relations: Relation[],
): Fact | undefined {
  const [e, r, g, w, o, status, split, frequency] = row as [
    number,
    number,
    number,
    number,
    number[],
    Status,
    Split,
    number,
  ];
  const entity = entities[e], relation = relations[r];
  if (row.length !== 8 || entity === undefined || relation === undefined) return undefined;
  const gold = relation.values[g], wrong = relation.values[w];
  const options = Array.isArray(o) ? o.map((i) => relation.values[i]) : [];
  const works = gold !== undefined && wrong !== undefined && gold !== wrong &&
    new Set(options).size === options.length && options.every((value) => value !== undefined) &&
    options.includes(gold) && options.includes(wrong) &&
    STATUSES.includes(status) && SPLITS.includes(split) &&
    Number.isFinite(frequency) && (status === "unknown" ? frequency === 0 : frequency > 0);
  if (!works) return undefined;
  const { noun, verb } = relation;
  const id = `${domain}/${entity}/${noun}`;
  return { id, domain, entity, noun, verb, gold, wrong, options, status, split, frequency };
}
