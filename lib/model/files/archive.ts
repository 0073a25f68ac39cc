/** A repository of GitHub as one zip archive, whose length nobody tells beforehand. */
import { type Stoppable } from "../../platform/interrupt.ts";
import { writingError } from "../../platform/runtime/files.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { quote } from "../../platform/runtime/quote.ts";
import { Break, HubConnection } from "./_hub_connection.ts";
import { COMMIT } from "./repository.ts";

export interface ArchiveOptions extends Stoppable {
  /** owner/name. */
  id: string;
  revision: string;
  say: (line: string) => void;
  patience?: number;
  timeout?: number;
}

/** GitHub, or a mirror of it: GITHUB_ENDPOINT. */
export const githubAddress = (): string =>
  (Deno.env.get("GITHUB_ENDPOINT") || "https://github.com").replace(/\/+$/, "");

/**
 * Writes the archive of a revision to `path`, going on with what is there.
 * @returns the commit, which the archive says of itself
 * @throws what answered and what to do, or where the archive is none; a broken download is kept
 */
export async function fetchArchive(path: string, options: ArchiveOptions): Promise<string> {
  const { id, revision, say } = options;
  const connection = new HubConnection({
    ...{ action: "get data set", id, page: id, revision },
    otherwise: "give its files by SELF_ALIGNING_DATA=FOLDER",
    variable: "GITHUB_ENDPOINT",
  }, { ...options, endpoint: githubAddress(), token: "" });
  using target = await Deno.open(path, { read: true, write: true, create: true });
  await target.lock(true); // another process may be at it
  let done = (await target.stat()).size, told = Date.now();
  if (done === 0 || !await endOfArchive(path)) {
    const address = `${connection.endpoint}/${id}/archive/${revision}.zip`;
    say(`Downloading ${address}${done > 0 ? `, going on at ${(done / 1e6).toFixed(1)} MB` : ""}`);
    await connection.ask("archive", async () => {
      const { status, headers, chunks } = await connection.range(address, done);
      const [, from] = /^bytes (\d+)-/.exec(headers.get("content-range") ?? "") ?? [];
      // Without ranges all of it comes again: what is there is passed over.
      let at = status === 206 ? Number(from ?? done) : 0;
      if (at > done) throw new Break(`the archive went on at ${at} instead of ${done}`);
      for await (const chunk of chunks) {
        at += chunk.length;
        if (at <= done) continue;
        await append(target, chunk.subarray(chunk.length - (at - done)), { path, at: done });
        done = at;
        if (Date.now() - told > 5000) {
          told = Date.now();
          say(`${id}: ${(done / 1e6).toFixed(1)} MB`);
        }
      }
      const length = Number(headers.get("content-length") ?? NaN);
      const first = status === 206 ? at - length : 0;
      if (Number.isFinite(length) && !headers.has("content-encoding") && at - first !== length) {
        throw new Break(`${at - first} bytes came instead of ${length}`);
      }
      const head = await headOf(path);
      if (!head.startsWith("PK")) {
        throw connection.foreign(headers, new TextEncoder().encode(head)) ??
          new Error(`bytes that start with ${quote(head)} and no zip archive`);
      }
    }).catch(async (error) => {
      // What is no archive would be gone on with for ever.
      if (!(await headOf(path)).startsWith("PK")) await target.truncate(0);
      throw error;
    });
  }
  const commit = await endOfArchive(path);
  if (commit !== undefined) return commit;
  await target.truncate(0);
  throw new Error(
    `Cannot get data set ${id}: expected a whole archive that names its commit; found one that ends ` +
      "early; it was removed: run it again",
  );
}

async function append(
  target: Deno.FsFile,
  bytes: Uint8Array,
  { path, at }: { path: string; at: number },
): Promise<void> {
  await target.seek(at, Deno.SeekMode.Start);
  try {
    for (let n = 0; n < bytes.length;) n += await target.write(bytes.subarray(n));
  } catch (error) {
    throw writingError(path, bytes.length, error);
  }
}

async function headOf(path: string): Promise<string> {
  using file = await FileAccess.open(path);
  return new TextDecoder("latin1").decode(await file.read(0, Math.min(24, file.size)));
}

/** The commit in the comment at the end of an archive; undefined where it has no such end. */
async function endOfArchive(path: string): Promise<string | undefined> {
  using file = await FileAccess.open(path);
  const size = Math.min(file.size, 64);
  const end = new TextDecoder("latin1").decode(await file.read(file.size - size, size));
  const comment = end.slice(-40);
  return end.includes("PK\x05\x06") && COMMIT.test(comment) ? comment : undefined;
}
