/** A file that grows by a download: what has come stays where it breaks, and the next one goes on there. */
import { writeAt } from "../../platform/runtime/files.ts";
import { Break, type HubConnection } from "./_hub_connection.ts";

/** Bytes asked for at once; a file of no more comes without a word. */
const RANGE = 8 * 1024 * 1024;

interface Target {
  file: Deno.FsFile;
  path: string;
  /** What errors and progress call it. */
  name: string;
  /** Its bytes, where they are known beforehand. */
  size?: number;
}

/**
 * Appends to a file what is missing of what lies at `address`.
 * @throws what answered and what to do
 */
export async function grow(
  hub: HubConnection,
  address: string,
  target: Target & { size: number },
): Promise<void> {
  const { file, name, size } = target, writer = new Writer(hub, target);
  writer.done = (await file.stat()).size;
  if (size > RANGE && writer.done < size) writer.say(`Downloading ${name} of ${hub.wanted.id}`);
  while (writer.done < size) {
    const end = Math.min(writer.done + RANGE, size);
    await hub.ask(name, () => appendRange(hub, address, writer, { end, size }));
  }
}

/** Appends the bytes up to `end`, but for what an attempt before has brought. */
async function appendRange(
  hub: HubConnection,
  address: string,
  writer: Writer,
  { end, size }: { end: number; size: number },
): Promise<void> {
  const before = writer.done;
  if (before >= end) return;
  const { status, headers, chunks } = await hub.range(address, before, end);
  // Where something between drops the range, all of it comes: what is there is passed over.
  const isAll = status === 200, last = isAll ? size : end;
  const [, from = before] = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "") ?? [];
  const start = isAll ? 0 : Number(from), isHere = isAll || start === before;
  // Of how many bytes the file is said to be; what is packed on the way says another number.
  const told = isAll && !headers.has("content-encoding")
    ? headers.get("content-length")
    : /\/(\d+)$/.exec(headers.get("content-range") ?? "")?.[1];
  const fits = Number(told ?? size) === size;
  let at = start, head: Uint8Array | undefined;
  for await (const chunk of chunks) {
    head ??= chunk;
    at += chunk.length;
    if (!fits || !isHere || at > last) break; // which closes the connection
    if (at > writer.done) await writer.write(chunk.subarray(chunk.length - (at - writer.done)));
  }
  if (fits && isHere && at === last) return;
  // An answer that ends early without a break may be something between here and the hub.
  const foreign = hub.foreign(headers, head);
  if (foreign !== undefined || isAll) await writer.cut(before);
  if (foreign === undefined && !fits && !isAll) {
    const expected = `expected ${size} bytes of ${writer.target.name}; found ${told}`;
    throw new Error(`Cannot ${hub.what}: ${expected}; run it again`);
  }
  throw foreign ?? new Break(
    !fits
      ? `${told} bytes came instead of ${size}`
      : isHere
      ? `${at - start} bytes came instead of ${last - start}`
      : `bytes from ${start} on came instead of those from ${before}`,
  );
}

/**
 * Fills a file with all that lies at `address`, of which nobody tells the length or gives parts.
 * @throws what answered and what to do
 */
export async function fill(hub: HubConnection, address: string, target: Target): Promise<void> {
  const writer = new Writer(hub, target);
  await hub.ask(target.name, async () => {
    await writer.cut(0);
    const { headers, chunks } = await hub.range(address, 0);
    for await (const chunk of chunks) {
      const foreign = writer.done === 0 ? hub.foreign(headers, chunk) : undefined;
      if (foreign !== undefined) throw foreign;
      await writer.write(chunk);
    }
  });
}

/** Appends to a file and tells how far it is. */
class Writer {
  done = 0;
  #said = Date.now();

  constructor(readonly hub: HubConnection, readonly target: Target) {}

  async write(bytes: Uint8Array): Promise<void> {
    const { file, path, name, size } = this.target, at = this.done;
    // What was written stays, so that the download goes on there once there is room.
    await writeAt(file, bytes, { path, at, missing: size && size - at });
    this.done += bytes.length;
    const isDue = this.done === size || Date.now() - this.#said >= 5000;
    if (isDue && !(size! <= RANGE)) this.say(name);
  }

  async cut(size: number): Promise<void> {
    await this.target.file.truncate(size);
    this.done = size;
  }

  say(what: string): void {
    const { size } = this.target, megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
    this.#said = Date.now();
    this.hub.say(`${what}: ${megabytes(this.done)}${size ? ` of ${megabytes(size)}` : ""} MB`);
  }
}
