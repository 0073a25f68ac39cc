/** A run's settings, and the page's address that holds them, so that one setting can be linked to. */
import type { Treatment } from "../cell.ts";
import type { Status } from "../world/world.ts";

/** The groups that the page trains on. */
export const groupNames = ["har", "inc", "self", "mix"] as const satisfies readonly Treatment[];

export type GroupName = typeof groupNames[number];

export interface RunSettings {
  domain: string;
  group: GroupName;
  /** Share of SELF in a mixture. */
  ratio: number;
  learningRate: number;
  epochs: number;
  minimumConfidence: number;
  seed: number;
}

export const learningRates = [1e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3] as const;

export const defaultSettings: RunSettings = {
  ...{ domain: "history", group: "inc", ratio: 0.5, learningRate: 1e-3, epochs: 3 },
  ...{ minimumConfidence: 0.5, seed: 0 },
};

/** The largest values that the page offers; the smallest are 0, of epochs 1. */
export const mostEpochs = 6;
export const mostConfidence = 0.95;
export const mostSeed = 99;

/** What is followed, in the page's order; `trained` is a question of the group. */
export const followedKinds = ["trained", "known", "misconceived", "unknown"] as const;

export type FollowedKind = "trained" | Status;

/** The question ids that are followed. Absent: the page's own choice. */
export type Followed = Partial<Record<FollowedKind, string>>;

export interface PageState {
  settings: RunSettings;
  followed: Followed;
}

/** The short names of the address. */
const KEYS = {
  domain: "domain",
  group: "group",
  ratio: "r",
  learningRate: "lr",
  epochs: "epochs",
  minimumConfidence: "confidence",
  seed: "seed",
} as const satisfies Record<keyof RunSettings, string>;

/** The address's query; what is as by default is left out. */
export function formatAddress({ settings, followed }: PageState): string {
  const query = new URLSearchParams();
  for (const [key, name] of Object.entries(KEYS) as [keyof RunSettings, string][]) {
    if (key === "ratio" && settings.group !== "mix") continue;
    if (settings[key] !== defaultSettings[key]) query.set(name, String(settings[key]));
  }
  for (const kind of followedKinds) {
    if (followed[kind] !== undefined) query.set(kind, followed[kind]);
  }
  return query.toString();
}

/** Settings of an address; what it lacks, or holds that the page does not offer, is as by default. */
export function parseAddress(search: string, domains: readonly string[]): PageState {
  const query = new URLSearchParams(search);
  const number = (key: keyof RunSettings, fits: (value: number) => boolean) => {
    const text = query.get(KEYS[key]) ?? "", value = Number(text);
    return text.trim() !== "" && fits(value) ? value : defaultSettings[key] as number;
  };
  const whole = (low: number, high: number) => (value: number) =>
    Number.isInteger(value) && value >= low && value <= high;
  const oneOf = <T extends string>(value: string | null, all: readonly T[], fallback: T): T =>
    all.find((one) => one === value) ?? fallback;
  const settings: RunSettings = {
    domain: oneOf(query.get(KEYS.domain), domains, defaultSettings.domain),
    group: oneOf(query.get(KEYS.group), groupNames, defaultSettings.group),
    ratio: number("ratio", (value) => value >= 0 && value <= 1),
    learningRate: number(
      "learningRate",
      (value) => (learningRates as readonly number[]).includes(value),
    ),
    epochs: number("epochs", whole(1, mostEpochs)),
    minimumConfidence: number("minimumConfidence", (p) => p >= 0 && p <= mostConfidence),
    seed: number("seed", whole(0, mostSeed)),
  };
  const followed = Object.fromEntries(
    followedKinds.flatMap((kind) => query.get(kind) ? [[kind, query.get(kind)!]] : []),
  );
  return { settings, followed };
}
