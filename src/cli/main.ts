/** The program behind `bin/ringfold`. */
import { runCommandLine } from "./command-line.ts";
import { processTerminal } from "./terminal.ts";

// A reader that has seen enough (`ringfold cat x | head`) is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});
process.stderr.on("error", () => undefined);

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal());
// Whatever a command left open (standard input, say) must not keep the shell waiting.
if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
