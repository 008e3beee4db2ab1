import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { millisOf } from "./quantity.ts";
import { jsonLine, line } from "./terminal.ts";

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
    .action((flags: Flags) =>
      withCluster(flags, terminal, async (cluster) => {
        const made = await cluster.joinToken(
          flags.ttl === undefined ? {} : { ttlMs: millisOf("--ttl", flags.ttl) },
        );
        if (flags.json === true) return jsonLine(terminal.out, made);
        await line(terminal.out, made.token);
        if (terminal.screen) {
          const until = new Date(made.expiresAt).toLocaleTimeString();
          await line(terminal.err, `Until ${until}, on the new node: ${made.command}`);
        }
      }),
    );
};
