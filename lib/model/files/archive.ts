/**
 * A repository of GitHub as one zip archive. It is made anew when it is asked for: nobody tells its length, and
 * no part of it can be had.
 */
import { quote } from "../../platform/runtime/quote.ts";
import { FileAccess } from "../../platform/runtime/random_access.ts";
import { fill } from "./_growing.ts";
import { type ConnectionOptions, HubConnection } from "./_hub_connection.ts";
import { COMMIT } from "./repository.ts";

/** GitHub, or a mirror of it: GITHUB_ENDPOINT. */
export const githubAddress = (): string =>
  (Deno.env.get("GITHUB_ENDPOINT") || "https://github.com").replace(/\/+$/, "");

/**
 * Writes the archive of a revision to `path`, unless a whole one is there.
 * @returns the commit, which the archive says of itself
 * @throws what answered and what to do, or where the archive is none
 */
export async function fetchArchive(
  path: string,
  { id, revision, ...options }: ConnectionOptions & { id: string; revision: string },
): Promise<string> {
  const connection = new HubConnection({
    ...{ action: "get data set", id, page: id, revision },
    otherwise: "give its files by SELF_ALIGNING_DATA=FOLDER",
    variable: "GITHUB_ENDPOINT",
  }, { ...options, endpoint: githubAddress(), token: "" });
  using target = await Deno.open(path, { read: true, write: true, create: true });
  await target.lock(true); // another process may be at it
  if (await endOfArchive(path) === undefined) {
    const address = `${connection.endpoint}/${id}/archive/${revision}.zip`;
    await fill(connection, address, { file: target, path, name: "archive" });
  }
  const commit = await endOfArchive(path);
  if (commit !== undefined) return commit;
  await target.seek(0, Deno.SeekMode.Start);
  const bytes = new Uint8Array(24), read = await target.read(bytes) ?? 0;
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, read));
  await target.truncate(0);
  const found = start.startsWith("PK") ? "one that ends early" : `what starts with ${quote(start)}`;
  throw new Error(
    `Cannot get data set ${id}: expected a whole archive that names its commit; found ${found}; ` +
      "it was removed: run it again",
  );
}

/** The commit in the comment at the end of an archive; undefined where it has no such end. */
async function endOfArchive(path: string): Promise<string | undefined> {
  using file = await FileAccess.open(path);
  const size = Math.min(file.size, 64);
  const end = new TextDecoder("latin1").decode(await file.read(file.size - size, size));
  const comment = end.slice(-40);
  return end.includes("PK\x05\x06") && COMMIT.test(comment) ? comment : undefined;
}
