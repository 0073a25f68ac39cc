/** The paper's published numbers, from data/paper.json: what its text gives, no cell of its tables. */
import paper from "../../data/paper.json" with { type: "json" };

/** Items of each group, by model and domain. */
export const paperGroupSizes: readonly {
  model: string;
  domains: Readonly<Record<string, number>>;
}[] = paper.groupSizes.map(({ model, ...sizes }) => ({
  model,
  domains: Object.fromEntries(
    Object.entries(sizes).filter((entry): entry is [string, number] =>
      typeof entry[1] === "number"
    ),
  ),
}));

/** The paper's number for a finding, as text. */
export function paperNumber(finding: string, suite: "homo" | "id" | "ood"): string | undefined {
  const found = paper.findings.find((one) => one.finding === finding);
  return found === undefined
    ? undefined
    : (found.values as Record<"homo" | "id" | "ood", string>)[suite];
}
