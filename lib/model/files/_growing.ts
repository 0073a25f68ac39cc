/** A file that grows by a download: what has come stays where it breaks, and the next one goes on there. */
import { writeAt } from "../../platform/runtime/files.ts";
import { Break, type HubConnection } from "./_hub_connection.ts";

/** Bytes asked for at once; a file of no more comes without a word. */
const RANGE = 8 * 1024 * 1024;

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/**
 * Appends to a file what is missing of what lies at `address`.
 * @param name what errors and progress call it
 * @param size its bytes, where they are known beforehand
 * @throws what answered and what to do
 */
export async function grow(
  hub: HubConnection,
  address: string,
  { file, path, name, size = Infinity }: {
    file: Deno.FsFile;
    path: string;
    name: string;
    size?: number;
  },
): Promise<void> {
  let done = (await file.stat()).size, said = Date.now();
  const isKnown = size < Infinity, total = isKnown ? ` of ${megabytes(size)}` : "";
  if (size > RANGE && done < size) {
    hub.say(`Downloading ${name} of ${hub.wanted.id}: ${megabytes(done)}${total} MB are there`);
  }
  const write = async (bytes: Uint8Array) => {
    // What was written stays, so that the download goes on there once there is room.
    await writeAt(file, bytes, { path, at: done, missing: isKnown ? size - done : bytes.length });
    done += bytes.length;
    if (size <= RANGE || done < size && Date.now() - said < 5000) return;
    said = Date.now();
    hub.say(`${name}: ${megabytes(done)}${total} MB`);
  };
  let end = done;
  while (end < size) {
    end = isKnown ? Math.min(end + RANGE, size) : Infinity;
    await hub.ask(name, async () => {
      if (done >= end) return;
      const before = done;
      const { status, headers, chunks } = await hub.range(address, done, end);
      const range = headers.get("content-range") ?? "";
      const [, from, all] = /^bytes (\d+)-\d+(?:\/(\d+))?/.exec(range) ?? [];
      const length = headers.has("content-encoding") ? null : headers.get("content-length");
      // Where something between drops the range, all of it comes: what is there is passed over.
      const isAll = status === 200, start = isAll ? 0 : Number(from ?? done);
      const isHere = isAll || start === done;
      const last = !isKnown && length !== null ? start + Number(length) : isAll ? size : end;
      const told = (isAll ? length : all) ?? size, fits = !isKnown || Number(told) === size;
      let at = start, head: Uint8Array | undefined;
      for await (const chunk of chunks) {
        head ??= chunk;
        if (!fits || !isHere) break; // which closes the connection
        at += chunk.length;
        if (at > done && at <= last) await write(chunk.subarray(chunk.length - (at - done)));
      }
      const isOther = at !== last && last < Infinity;
      const foreign = isOther || !isKnown ? hub.foreign(headers, head) : undefined;
      if (foreign !== undefined) {
        done = before;
        await file.truncate(done);
        throw foreign;
      }
      if (!isHere) throw new Break(`bytes from ${start} on came instead of those from ${done}`);
      // A range says what the file has become; a whole answer may be something between here and the hub.
      if (!fits && isAll) throw new Break(`${told} bytes came instead of ${size}`);
      if (!fits) {
        const expected = `expected ${size} bytes of ${name}; found ${told}`;
        throw new Error(`Cannot ${hub.what}: ${expected}; run it again`);
      }
      if (isOther) throw new Break(`${at - start} bytes came instead of ${last - start}`);
    });
  }
}
