/**
 * All variables that live while a function is traced, of whatever owner: an assignment in the function
 * frees a variable's data, which must come back after.
 */
import * as tf from "@tensorflow/tfjs";

export class HeldVariables {
  readonly #data = new Map(everyVariable().map((variable) => [variable, variable.clone()]));
  readonly #names = new WeakMap<object, string>();

  constructor() {
    for (const [variable, { dataId }] of this.#data) this.#names.set(dataId, variable.name);
  }

  nameOf(dataId: object): string | undefined {
    return this.#names.get(dataId);
  }

  /**
   * Refuses changes of other variables than the session's: they would keep what nobody ever computes.
   * @throws where another one was assigned or made
   */
  refuseOthers(own: ReadonlyMap<tf.Variable, string>): void {
    for (const variable of everyVariable()) {
      const isUnchanged = this.#data.get(variable)?.dataId === variable.dataId;
      if (isUnchanged || own.has(variable)) continue;
      throw new Error(
        `Cannot make the variable ${variable.name} or assign to it while tracing: expected one of ` +
          "the session's; make it before, and bind it",
      );
    }
  }

  /** Gives all variables their data back, and frees those that were made since. */
  restore(): void {
    for (const variable of everyVariable()) if (!this.#data.has(variable)) variable.dispose();
    for (const [variable, data] of this.#data) {
      if (variable.dataId !== data.dataId) variable.assign(data);
      data.dispose();
    }
  }
}

function everyVariable(): tf.Variable[] {
  return Object.values(tf.engine().registeredVariables);
}
