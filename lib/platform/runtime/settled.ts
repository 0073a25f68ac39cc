/** What all gave that were waited for to their ends. @throws what the first one that failed did */
export const valuesOf = <T>(settled: readonly PromiseSettledResult<T>[]): T[] =>
  settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
