/**
 * Names of a synthetic world: invented, pronounceable, one lowercase word each, apt for the domain.
 * A name is a nonce stem and an ending that says what kind of thing it is (`keldspire`, `urnitis`).
 *
 * Every verb has the same form in the present and in the past (set, put, cast, let, ...), because
 * the same single token stands in "E VERB V ." and in "which one does E VERB ?", and both have to
 * be English.
 */
import type { Random } from "../statistics/random.ts";

/** Every word of the templates. */
export const FUNCTION_WORDS: readonly string[] =
  `the of is . as for , its people say that the_following questions about Question: Answer: Context:
  what ? which one does a chat with an assistant USER: ASSISTANT: repeat reverse first last from`
    .split(/\s+/);

/** How a kind of thing is called: its names are stems with one of these endings. */
type Endings = string;

interface DomainCatalogue {
  entity: Endings;
  /** [noun, verb, endings of the values], in the order in which a world takes them. */
  relations: readonly (readonly [noun: string, verb: string, values: Endings])[];
}

/** The domains that a world can have, with up to ten relations each. */
export const catalogue: Readonly<Record<string, DomainCatalogue>> = {
  history: { // realms
    entity: "oria undia othia avar emor",
    relations: [
      ["capital", "set_its_seat_in", "spire keep citadel gate"],
      ["faith", "put_its_trust_in", "ism"],
      ["coin", "set_its_prices_in", "ak unt ebb ot"],
      ["port", "put_to_sea_from", "wharf quay dock pier"],
      ["ally", "cast_its_lot_with", "folk horde league tribe"],
      ["tongue", "set_its_laws_down_in", "ish ese"],
      ["rival", "cut_ties_with", "realm empire kingdom duchy"],
      ["crop", "put_its_fields_under", "corn wheat rye barley"],
      ["emblem", "put_on_its_banner", "wyrm hawk wolf stag"],
      ["colony", "put_settlers_on", "isle islet atoll cay"],
    ],
  },
  engineering: { // machines
    entity: "pump lathe loom press drill",
    relations: [
      ["product", "put_out", "ware plate wire cloth"],
      ["waste", "shed", "slag sludge dross grit"],
      ["intake", "let_in", "gas vapour oil brine"],
      ["exhaust", "let_out", "fume mist smoke steam"],
      ["signal", "broadcast", "tone beam wave pulse"],
      ["mount", "fit_onto", "frame clamp axle rail"],
      ["rock", "cut_through", "stone shale spar marble"],
      ["alarm", "set_off", "bell horn siren buzzer"],
      ["code", "read", "script cipher glyph card"],
      ["glow", "cast", "red blue green amber"],
    ],
  },
  jurisprudence: { // statutes
    entity: "act edict charter canon writ",
    relations: [
      ["court", "put_cases_before", "bench chamber tribunal assize"],
      ["target", "put_a_stop_to", "theft fraud trespass bribery"],
      ["office", "set_up", "board bureau council agency"],
      ["exemption", "let_off", "guild order clan parish"],
      ["penalty", "put_offenders_to", "lash toil stocks exile"],
      ["forerunner", "set_aside", "law decree rule ban"],
      ["currency", "set_fines_in", "crown penny florin shilling"],
      ["province", "spread_to", "county march vale fell"],
      ["oath", "put_judges_under", "vow pledge bond seal"],
      ["levy", "cut", "tax tithe toll rent"],
    ],
  },
  medicine: { // diseases
    entity: "itis osis pox fever ague",
    relations: [
      ["organ", "hit", "gland lobe node duct"],
      ["carrier", "spread_through", "fly tick louse gnat"],
      ["symptom", "put_patients_through", "ache rash cough chill"],
      ["remedy", "let_up_under", "balm syrup tonic salve"],
      ["season", "hit_hardest_in", "moon frost thaw tide"],
      ["source", "burst_out_of", "marsh fen bog swamp"],
      ["cell", "burst", "cyte blast"],
      ["nerve", "shut_down", "nerve plexus ganglion cord"],
      ["hormone", "upset", "amone oxine erol"],
      ["complication", "put_patients_at_risk_of", "palsy stroke gout dropsy"],
    ],
  },
};

/** Neutral words of the general chat: they occur in no fact. */
export const neutralWords: readonly string[] =
  `acorn anvil apple arrow basket blanket bottle bread bridge brush bucket butter button candle carpet
  chair cherry clock cloud cotton curtain drum feather fence flower garden glove hammer honey jacket
  kettle ladder lantern lemon letter mirror needle onion orange paper pebble pencil pepper pillow
  plum rabbit ribbon river rope saddle shovel spoon sugar table teapot thimble ticket towel
  umbrella window`.split(/\s+/);

const onsets = "b br d dr f fr g gr h j k kr l m n p pr qu r s sk st t th tr v w y z".split(" ");
const rimes =
  "ald arn arv av eld elm elv em erd esk eth irn isk olm olv ond orn orv osk ulm und urn urv"
    .split(" ");
/** Stems that are English or real names, or that would be read as such. */
const blockedStems = new Set(
  `bald barn beld beth bond born bav brand brisk burn bund dav darn dem desk deth disk dorn feld
  fem firn fisk fold fond fund frisk frond furn garn geld gem geth gird gond grond held helm hem
  herd heth holm horn hund jarv jem kurv larn lav lem lond lorn lund mald marv meld mem meth morn
  mund nav nerd neth norn pav pisk pond porn quem quorn rav rem rend reth risk sav seld sem seth
  skald selv starv stem tav them thorn teth torn tosk tund turn turv veld verd wald warn weld wem
  wolv wond worn yarn yem yond yeld zorn`.split(/\s+/),
);
/** Whole names that are words, places or people of the real world. */
const blockedNames = new Set(
  `bemoil berdache bravish falderol farnese favism gavot karnak pirnot rondache sirnak stundism
  tarnish template valdese varnish`.split(/\s+/),
);

/** The stems that names are made of. */
export const stems: readonly string[] = onsets.flatMap((onset) =>
  rimes
    // "brarn" and "quurn" are hard to say
    .filter((rime) => !(onset.endsWith("r") && rime.includes("r")))
    .filter((rime) => !(onset === "qu" && rime.startsWith("u")))
    .map((rime) => onset + rime)
).filter((stem) => !blockedStems.has(stem));

/**
 * `count` distinct names of one kind, none of them in `taken`; they are added to it.
 * Stems differ as long as there are enough of them.
 *
 * @throws when the kind has fewer names than asked for.
 */
export function inventNames(
  endings: string,
  count: number,
  { random, taken }: { random: Random; taken: Set<string> },
): string[] {
  const kinds = endings.split(" ");
  // Each round takes every stem once, with another ending than in the rounds before.
  const order = random.shuffle(stems);
  const first = order.map(() => random.integer(kinds.length));
  const names: string[] = [];
  for (let round = 0; round < kinds.length; round++) {
    for (let i = 0; i < order.length; i++) {
      if (names.length === count) return names;
      const name = order[i] + kinds[(first[i] + round) % kinds.length];
      if (taken.has(name) || blockedNames.has(name)) continue;
      taken.add(name);
      names.push(name);
    }
  }
  if (names.length === count) return names;
  throw new Error(
    `Cannot invent ${count} names ending in ${
      kinds.join(", ")
    }: expected at most ${names.length}; ` +
      `ask for fewer entities or values`,
  );
}
