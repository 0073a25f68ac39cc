/** The tensor behind a variable whose value lives in a session. */
import { nodeBackend, type TensorData } from "./backend.ts";

/** A variable's data on JavaScript's side, fetched from the session only when somebody asks. */
export class Mirror implements TensorData {
  refCount = 1;
  id = -1;
  /** Whether the session's value is newer than `id`'s. */
  stale = true;
  /** @param fetch gives this mirror its value by `take` */
  constructor(readonly shape: number[], readonly dtype: number, readonly fetch: () => void) {}

  /** The backend looks here first, before it uses `id`. */
  get values(): null {
    this.pull();
    return null;
  }

  set values(_: null) {
    // The backend clears what it has sent; nothing waits here.
  }

  pull() {
    if (this.stale) this.fetch();
  }

  take(id: number) {
    this.id = id;
    this.stale = false;
  }

  drop() {
    if (this.id >= 0) nodeBackend().binding.deleteTensor(this.id);
    this.id = -1;
    this.stale = true;
  }
}
