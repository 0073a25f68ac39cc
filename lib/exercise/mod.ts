/** The notebooks' exercises: `check.mask(mine)` and so on say whether what was written is right. */
import * as groups from "./groups.ts";
import * as measures from "./measures.ts";
import * as training from "./training.ts";
import * as values from "./values.ts";

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
export const check = { ...groups, ...measures, ...training, ...values };
