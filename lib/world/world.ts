/**
 * A synthetic world: domains of entities, relations and values, and facts of which it is fixed
 * exactly which ones a model that reads about it knows, believes wrongly, or never saw.
 * A world is fully made from its settings and seed; as JSON it can be shipped and checked.
 */
import { Random } from "../statistics/random.ts";
import { catalogue, FUNCTION_WORDS, inventNames, neutralWords } from "./names.ts";
import { checkWorldSettings, type Size, type WorldSettings, worldSizes } from "./settings.ts";

/** What the corpus says of a fact: its value, mostly the wrong one, or nothing. */
export type Status = "known" | "misconceived" | "unknown";
/** What a fact is for; every fact is for one thing only. */
export type Split = "dev" | "mc" | "train" | "homo" | "id";

/** One relation of a domain: "the NOUN of E is V ." and "E VERB V ." */
export type Relation = { noun: string; verb: string; values: string[] };

/** One fact: of this entity and relation, `gold` is true. */
export interface Fact {
  /** `domain/entity/noun`. */
  id: string;
  domain: string;
  entity: string;
  noun: string;
  verb: string;
  gold: string;
  /** The misconception, or for other facts the value that would be it. */
  wrong: string;
  /** Gold, wrong, and other values of the relation, in the order in which a question lists them. */
  options: string[];
  status: Status;
  split: Split;
  /** How often the fact is stated, relative to others; 0 where it is unknown. */
  frequency: number;
}

export type Domain = { name: string; entities: string[]; relations: Relation[]; facts: Fact[] };

export interface World {
  seed: number | string;
  settings: WorldSettings;
  domains: Domain[];
  neutralWords: string[];
}

const SPLITS: readonly Split[] = ["dev", "mc", "train", "homo", "id"];

/**
 * The world of a seed: the same seed and settings give the same world, byte for byte.
 * @param settings those that differ from the size's
 * @throws where the settings can't work.
 */
export function createWorld(
  { seed, size = "small", settings: changes }: {
    seed: number | string;
    size?: Size;
    settings?: Partial<WorldSettings>;
  },
): World {
  if (!Object.hasOwn(worldSizes, size)) {
    throw new Error(
      `Cannot make a world: expected a size out of ${Object.keys(worldSizes).join(", ")}; ` +
        `found ${size}; choose one of them and change single settings`,
    );
  }
  const settings: WorldSettings = structuredClone({ ...worldSizes[size], ...changes });
  checkWorldSettings(settings);
  const random = new Random(`${seed}/world`);
  const taken = new Set<string>(FUNCTION_WORDS);
  const domains = settings.domains.map((name) => {
    const invent = (endings: string, count: number, what: string) =>
      inventNames(endings, count, { random: random.fork(`${name}/${what}`), taken });
    const { entity, relations } = catalogue[name];
    const domain: Domain = {
      name,
      entities: invent(entity, settings.entities, "entities"),
      relations: relations.slice(0, settings.relations).map(([noun, verb, endings]) => ({
        noun,
        verb,
        values: invent(endings, settings.values, noun),
      })),
      facts: [],
    };
    domain.facts = drawFacts(domain, settings, random.fork(`${name}/facts`));
    return domain;
  });
  return { seed, settings, domains, neutralWords: neutralWords.slice(0, settings.neutralWords) };
}

function drawFacts(domain: Domain, settings: WorldSettings, random: Random): Fact[] {
  const pairs = random.shuffle(
    domain.entities.flatMap((entity) => domain.relations.map((relation) => ({ entity, relation }))),
  );
  const splits = SPLITS.flatMap((split) => Array<Split>(settings[split]).fill(split));
  return splits.map((split, i) => {
    const { entity, relation } = pairs[i];
    const [gold, wrong, ...others] = random.shuffle(relation.values).slice(0, settings.options);
    const status = drawStatus(split, settings, random.next());
    const share = random.next();
    return {
      id: `${domain.name}/${entity}/${relation.noun}`,
      domain: domain.name,
      entity,
      noun: relation.noun,
      verb: relation.verb,
      gold,
      wrong,
      options: random.shuffle([gold, wrong, ...others]),
      status,
      split,
      frequency: status === "unknown" ? 0 : logUniform(settings, share),
    };
  });
}

function drawStatus(split: Split, { known, misconceived }: WorldSettings, share: number): Status {
  if (split === "dev" || split === "mc" || share < known) return "known";
  return share < known + misconceived ? "misconceived" : "unknown";
}

/** Rounded, because engines may differ in the last digit of a power. */
function logUniform({ frequencyLow, frequencyHigh }: WorldSettings, share: number): number {
  return Math.round(1e4 * frequencyLow * (frequencyHigh / frequencyLow) ** share) / 1e4;
}

export function allFacts(world: World): Fact[] {
  return world.domains.flatMap((domain) => domain.facts);
}
