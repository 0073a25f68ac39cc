/** A model gives no numbers to go on with (NaN, infinite), as after a training that diverged. */
export class NotFiniteError extends Error {}
