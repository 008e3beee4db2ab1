import { type Build, describeCommand } from "./command.ts";

export const demo: Build = (command, terminal) => {
  const json = "lines, one per step; the last tells the proof";
  describeCommand(command, { json, examples: ["demo", "demo ~/texts"] })
    .description(
      "Start five nodes on this machine, store real text, count its words while one node is killed, " +
        "and prove the answer against a count made apart.",
    )
    .argument("[dir]", "folder of text (default: the Markdown files below node_modules)")
    .action(async (dir: string | undefined, flags: { readonly json?: true }) => {
      const { runDemo } = await import("./demo.ts");
      await runDemo({ ...(dir === undefined ? {} : { dir }), json: flags.json === true, terminal });
    });
};
