/** `npm run format`: Biome formats the code; comments, which it leaves alone, are wrapped here. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, ROOT, readModule } from "./modules.ts";
import { reflowComments } from "./reflow.ts";
import { ROOM_NAMES, ROOMS } from "./rooms.ts";

for (const path of filesBelow(
  ROOM_NAMES.map((name) => ROOMS[name].folder),
  ".ts",
)) {
  const { text } = readModule(path);
  const wrapped = reflowComments(text);
  if (wrapped !== text) writeFileSync(join(ROOT, path), wrapped);
}
const biome = ["check", "--write", "--linter-enabled=false"];
const { status } = spawnSync("biome", biome, { cwd: ROOT, stdio: "inherit" });
process.exitCode = status ?? 1;
