/** Reads all files again and again through nodes that live, while something happens to another one. */
import type { TestNode } from "./cluster.ts";
import type { Text } from "./texts.ts";

export interface GetReport {
  readonly gets: number;
  /** What went wrong, in words. */
  readonly faults: readonly string[];
}

export class GetLoop {
  readonly #done: Promise<void>;
  readonly #faults: string[] = [];
  #gets = 0;
  #stopped = false;

  /** @param through nodes that nothing happens to; each reads every file in its turn */
  constructor(prefix: string, texts: readonly Text[], through: readonly TestNode[]) {
    this.#done = Promise.all(through.map((node) => this.#read(prefix, texts, node))).then(() => {});
  }

  /** After one more whole round of each node. */
  async stop(): Promise<GetReport> {
    this.#stopped = true;
    await this.#done;
    return { gets: this.#gets, faults: this.#faults };
  }

  async #read(prefix: string, texts: readonly Text[], node: TestNode): Promise<void> {
    let last = false;
    while (!last) {
      last = this.#stopped;
      for (const text of texts) await this.#get(`${prefix}/${text.name}`, text, node);
    }
  }

  async #get(name: string, { bytes }: Text, { client, name: through }: TestNode): Promise<void> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of (await client.get(name)).chunks) chunks.push(chunk);
      this.#gets++;
      if (!Buffer.concat(chunks).equals(bytes)) this.#faults.push(`${name}: other bytes`);
    } catch (error) {
      const fault = `${name} through ${through}: ${String(error)}`;
      process.stderr.write(`a get failed: ${fault}\n`);
      this.#faults.push(fault);
    }
  }
}
