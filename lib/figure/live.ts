/** A figure that is drawn again in place while something computes; the last one stays. */
import { kernel } from "../platform/jupyter.ts";
import { mimeBundle, pictureMetadata, type Place, settle, show, showWords } from "./display.ts";
import { saveFigure } from "./export.ts";
import type { FigureDescription } from "./theme.ts";

export interface LiveFigure {
  /** Shows what `make` gives, unless the last one was shown just now. Outside a notebook: nothing. */
  draw(make: () => FigureDescription): Promise<void>;
  /** Shows the last figure, and saves it where `place` is given. */
  finish(figure: FigureDescription, place?: Place): Promise<void>;
}

/** A live figure: drawn at most every `interval` ms, and for no more than a third of the time. */
export function liveFigure({ interval = 500, now = () => performance.now() } = {}): LiveFigure {
  const jupyter = kernel(), display_id = `figure-${crypto.randomUUID()}`;
  let sent = false, drawn = -Infinity, took = 0;
  const send = async (figure: FigureDescription) => {
    const started = now();
    await jupyter!.broadcast(sent ? "update_display_data" : "display_data", {
      data: await mimeBundle(figure),
      metadata: pictureMetadata(figure),
      transient: { display_id },
    });
    await settle();
    [sent, drawn, took] = [true, now(), now() - started];
  };
  return {
    async draw(make) {
      if (jupyter && now() - drawn >= Math.max(interval, 2 * took)) await send(make());
    },
    async finish(figure, place) {
      // An empty figure, or one for nobody to see, is told as any other is.
      if (!sent) return await show(figure, place);
      if (place) await saveFigure(place.folder, place.name, figure);
      await send(figure);
      await showWords(figure);
    },
  };
}
