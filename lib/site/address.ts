/** A run's settings, and the page's address that holds them, so that one setting can be linked to. */
import * as v from "valibot";
import type { Treatment } from "../cell.ts";
import { numberFrom, share, wholeFrom } from "../platform/runtime/explain.ts";
import type { Status } from "../world/world.ts";

/** The groups that the page trains on. */
export const groupNames = ["har", "inc", "self", "mix"] as const satisfies readonly Treatment[];

export type GroupName = typeof groupNames[number];

export const learningRates = [1e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3] as const;

/** Of each setting its name in the address and of its control, what can be chosen, and the default. */
const knobs = {
  domain: ["domain", v.string(), "history"],
  group: ["group", v.picklist(groupNames), "inc"],
  ratio: ["r", share, 0.5],
  learningRate: ["lr", v.picklist(learningRates), 1e-3],
  epochs: ["epochs", wholeFrom(1, 6), 3],
  minimumConfidence: ["confidence", numberFrom(0, 0.95), 0.5],
  seed: ["seed", wholeFrom(0, 99), 0],
} as const;

/** `ratio`: the share of SELF in a mixture. */
export type RunSettings = {
  -readonly [Key in keyof typeof knobs]: v.InferOutput<typeof knobs[Key][1]>;
};

/** The settings' keys, with the names of their controls. */
export const knobNames = Object.entries(knobs)
  .map(([key, [name]]) => [key as keyof RunSettings, name] as const);

export const defaultSettings = Object.fromEntries(
  Object.entries(knobs).map(([key, [, , usual]]) => [key, usual]),
) as unknown as RunSettings;

/** The setting that a control of this name holds; undefined where the page does not offer it. */
export function settingOf(name: string, text: string): Partial<RunSettings> | undefined {
  const [key] = knobNames.find(([, own]) => own === name) ?? [];
  if (key === undefined) return undefined;
  const [, offered, usual] = knobs[key];
  const value = typeof usual === "string" ? text : text.trim() === "" ? NaN : Number(text);
  return v.is(offered, value) ? { [key]: value } : undefined;
}

/** What is followed, in the page's order; `trained` is a question of the group. */
export const followedKinds = ["trained", "known", "misconceived", "unknown"] as const;

export type FollowedKind = "trained" | Status;

/** The question ids that are followed. Absent: the page's own choice. */
export type Followed = Partial<Record<FollowedKind, string>>;

export type PageState = { settings: RunSettings; followed: Followed };

/** The address's query; what is as by default is left out. */
export function formatAddress({ settings, followed }: PageState): string {
  const query = new URLSearchParams();
  for (const [key, name] of knobNames) {
    if (key === "ratio" && settings.group !== "mix") continue;
    if (settings[key] !== defaultSettings[key]) query.set(name, String(settings[key]));
  }
  for (const [kind, id] of Object.entries(followed)) query.set(kind, id);
  return query.toString();
}

/** Settings of an address; what it lacks, or holds that the page does not offer, is as by default. */
export function parseAddress(search: string, domains: readonly string[]): PageState {
  const query = [...new URLSearchParams(search)];
  const settings: RunSettings = Object.assign(
    { ...defaultSettings },
    ...query.map(([name, text]) => settingOf(name, text)),
  );
  if (!domains.includes(settings.domain)) settings.domain = defaultSettings.domain;
  const kinds: readonly string[] = followedKinds;
  return {
    settings,
    followed: Object.fromEntries(query.filter(([name, id]) => id && kinds.includes(name))),
  };
}
