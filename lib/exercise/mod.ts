/** The notebooks' exercises: `check.mask(mine)` and so on say whether what was written is right. */
import { control, groupOf, mix } from "./groups.ts";
import { calibrationError, kl, pairedDifference, perToken, rankConsistency } from "./measures.ts";
import { mask, schedule, shiftedLoss } from "./training.ts";
import { perfectReader, questionsNeeded } from "./values.ts";

/**
 * A check for each exercise. It tells an exercise that nobody touched, the right answer, and frequent
 * mistakes by what is wrong with them; of any other answer, where it differs.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(check.kl(() => NaN), "Not tried yet.");
 * assert.match(check.groupOf(() => "HAR"), /^Not yet: found "HAR"; expected/);
 * ```
 */
export const check = {
  ...{ calibrationError, control, groupOf, kl, mask },
  ...{ mix, pairedDifference, perToken, perfectReader, questionsNeeded },
  ...{ rankConsistency, schedule, shiftedLoss },
};
