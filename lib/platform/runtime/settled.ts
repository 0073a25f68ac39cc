/** What all gave that were waited for to their ends. @throws what the first one that failed did */
export const valuesOf = <T>(settled: readonly PromiseSettledResult<T>[]): T[] =>
  settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });

/** What `read` gives for a key, read once. What failed may be mended, and is read again. */
export const readOnce = <T>(kept: Map<string, Promise<T>>, key: string, read: () => Promise<T>) =>
  kept.getOrInsertComputed(key, read).catch((error) => {
    kept.delete(key);
    throw error;
  });
