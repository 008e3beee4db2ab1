import { RingfoldError } from "../base/errors.ts";
import type { Millis } from "../base/ids.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { millisOf } from "./quantity.ts";
import { jsonLine, line } from "./terminal.ts";

const MAX_TTL: Millis = 7 * 24 * 3600 * 1000;

interface Flags extends ClientFlags {
  readonly ttl?: string;
}

export const joinToken: Build = (command, terminal) => {
  const examples = [
    "join-token",
    "join-token --ttl 10m",
    'up --data ./b --join "$(ringfold join-token)"',
  ];
  clientCommand(command, { json: "one line: token, expiresAt, command", examples })
    .description(
      "Print a token with which a new node can join. It expires; keep it secret until then.",
    )
    .option("--ttl <time>", "how long it can be used (default: 1h)")
    .action((flags: Flags) => {
      const ttl = flags.ttl === undefined ? {} : { ttlMs: ttlOf(flags.ttl) };
      return withCluster(flags, terminal, async (cluster) => {
        const made = await cluster.joinToken(ttl);
        if (flags.json === true) return jsonLine(terminal.out, made);
        await line(terminal.out, made.token);
        if (terminal.screen) {
          const until = new Date(made.expiresAt).toLocaleTimeString();
          await line(terminal.err, `Until ${until}, on the new node: ${made.command}`);
        }
      });
    });
};

/** The contract's bounds, said again in the flag's own words. @throws bad-option */
function ttlOf(text: string): Millis {
  const ttl = millisOf("--ttl", text);
  if (ttl >= 1000 && ttl <= MAX_TTL) return ttl;
  throw new RingfoldError("bad-option", `--ttl ${text}: give 1s to 7d`);
}
