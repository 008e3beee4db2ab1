import { RingfoldError } from "../base/errors.ts";
import type { Bytes } from "../base/ids.ts";
import type { FileStat } from "../contract/file-stat.ts";
import { type Build, type ClientFlags, clientCommand, withCluster } from "./command.ts";
import { orInterrupted } from "./interrupt.ts";
import { localFiles } from "./local-files.ts";
import { copiesText } from "./ls.ts";
import { ByteProgress } from "./progress.ts";
import { bytesOf, counted, replicasOf, showBytes } from "./quantity.ts";
import { jsonLine, line, type Terminal } from "./terminal.ts";
import { type UploadOptions, upload } from "./upload.ts";

interface Flags extends ClientFlags {
  readonly as?: string;
  readonly replicas?: string;
  readonly blockSize?: string;
  readonly cut?: string;
}

export const put: Build = (command, terminal) => {
  const examples = [
    "put notes.txt",
    "put notes.txt --as docs/notes.txt --replicas 3",
    "put books/*.txt --as books/",
    "put ./folder --as archive/",
  ];
  clientCommand(command, { json: "one line per file, as in GET /api/v1/files/NAME", examples })
    .description(
      "Store files. A folder is stored with all below it; a pattern in quotes is expanded here.",
    )
    .argument("<paths...>", "local files, folders or quoted patterns")
    .option("--as <name>", "the name of one file, or a prefix ending in / for all")
    .option("--replicas <n>", "copies of each block on different nodes, or all (default: 2)")
    .option("--block-size <size>", "8KiB to 64MiB (default: 4MiB)")
    .option("--cut <where>", "where blocks may end: lines or bytes (default: lines for text)")
    .action(async (paths: string[], flags: Flags) => {
      const options = optionsOf(flags);
      const files = await localFiles(terminal.cwd, paths, flags.as);
      const total = files.reduce((sum, file) => sum + file.bytes, 0);
      await withCluster(flags, terminal, async (cluster) => {
        const progress = new ByteProgress(terminal, `put ${counted(files.length, "file")}`, total);
        let done = 0;
        const stored = async (file: FileStat): Promise<void> => {
          done++;
          progress.clear();
          await showStored(terminal, file, flags.json === true);
        };
        const told = { grew: (n: number) => progress.add(n), stored };
        const words = (): string =>
          `Stopped: ${done} of ${counted(files.length, "file")} stored. What \`ringfold ls\` does not show left nothing.`;
        const work = upload(cluster, files, options, told);
        await orInterrupted(work, terminal, progress, words).finally(() => progress.clear());
      });
    });
};

function optionsOf(flags: Flags): UploadOptions {
  const { replicas, blockSize, cut } = flags;
  if (cut !== undefined && cut !== "lines" && cut !== "bytes") {
    throw new RingfoldError("bad-option", `--cut "${cut.slice(0, 80)}": give lines or bytes`);
  }
  return {
    ...(replicas === undefined ? {} : { replicas: replicasOf(replicas) }),
    ...(blockSize === undefined ? {} : { blockSize: blockSizeOf(blockSize) }),
    ...(cut === undefined ? {} : { cut }),
  };
}

/** The contract's bounds, said again in the flag's own words: its schemas would cost the command's start. */
function blockSizeOf(text: string): Bytes {
  const bytes = bytesOf("--block-size", text);
  if (bytes >= 8 * 1024 && bytes <= 64 * 1024 * 1024) return bytes;
  throw new RingfoldError("bad-option", `--block-size ${text}: give 8KiB to 64MiB`);
}

async function showStored(terminal: Terminal, file: FileStat, json: boolean): Promise<void> {
  if (json) return jsonLine(terminal.out, file);
  const blocks =
    file.blocks === 0 ? "" : `, ${counted(file.blocks, "block")}, replicas: ${copiesText(file)}`;
  await line(terminal.out, `${file.name}  ${showBytes(file.bytes)}${blocks}`);
  if (file.warning !== undefined)
    await line(terminal.err, `warning: ${file.name}: ${file.warning}`);
}
