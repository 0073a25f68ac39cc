/**
 * The client's half of ZMTP 3.0 (the wire protocol of ZeroMQ, NULL security) over a TCP connection.
 *
 * Own code because npm's zeromq is a native addon whose waits Deno 2.9 forgets after their first
 * event (denoland/deno#36317): replies went missing and the process crashed.
 */

const MORE = 1, LONG = 2, COMMAND = 4;
const encoder = new TextEncoder();

/** A connected socket that sends and receives messages of several frames. */
export class Socket {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(private readonly connection: Deno.TcpConn) {
    connection.setNoDelay();
    this.#writer = connection.writable.getWriter();
  }

  /** Connects to a port of this machine; a subscriber asks for everything. */
  static async connect(type: "DEALER" | "SUB", port: number): Promise<Socket> {
    const socket = new Socket(await Deno.connect({ hostname: "127.0.0.1", port }));
    try {
      const greeting = new Uint8Array(64);
      greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]); // signature, version 3.0
      greeting.set(encoder.encode("NULL"), 12);
      await socket.#writer.write(greeting);
      const theirs = await socket.#take(64);
      if (theirs[0] !== 0xff || theirs[10] < 3) {
        throw new Error(`Cannot talk to port ${port}: expected ZMTP 3, found another protocol`);
      }
      const name = encoder.encode("Socket-Type"), value = encoder.encode(type);
      const ready = [5, ...encoder.encode("READY"), name.length, ...name, 0, 0, 0, value.length];
      await socket.#write(COMMAND, new Uint8Array([...ready, ...value]));
      if (type === "SUB") await socket.send([new Uint8Array([1])]);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Sends one message. */
  async send(frames: (string | Uint8Array)[]): Promise<void> {
    await Promise.all(frames.map((frame, i) => {
      const bytes = typeof frame === "string" ? encoder.encode(frame) : frame;
      return this.#write(i < frames.length - 1 ? MORE : 0, bytes);
    }));
  }

  /** The messages as they come, until either side closes the connection. */
  async *messages(): AsyncGenerator<Uint8Array[]> {
    let frames: Uint8Array[] = [];
    try {
      while (true) {
        const [flags] = await this.#take(1);
        const length = await this.#take(flags & LONG ? 8 : 1);
        const view = new DataView(length.buffer, length.byteOffset);
        const body = await this.#take(flags & LONG ? Number(view.getBigUint64(0)) : length[0]);
        if (flags & COMMAND) continue; // READY, and what later versions may add
        frames.push(body);
        if (flags & MORE) continue;
        yield frames;
        frames = [];
      }
    } catch (error) {
      if (!(error instanceof Closed)) throw error;
    }
  }

  close(): void {
    try {
      this.connection.close();
    } catch { /* it is closed */ }
  }

  #write(flags: number, body: Uint8Array): Promise<void> {
    const frame = new Uint8Array(9 + body.length);
    frame[0] = flags | LONG;
    new DataView(frame.buffer).setBigUint64(1, BigInt(body.length));
    frame.set(body, 9);
    return this.#writer.write(frame);
  }

  /** The next `n` bytes. */
  async #take(n: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(n);
    for (let at = 0; at < n;) {
      const count = await this.connection.read(bytes.subarray(at)).catch(() => null);
      if (count === null) throw new Closed();
      at += count;
    }
    return bytes;
  }
}

class Closed extends Error {}
