/** esbuild runs as a process beside ours; it is ended when no build is under way, so that none stays beside a node. */
import type * as Esbuild from "esbuild";

let building = 0;

/** Runs a build with esbuild loaded. Builds may overlap: only the last one to end stops the service. */
export async function withEsbuild<T>(build: (esbuild: typeof Esbuild) => Promise<T>): Promise<T> {
  const esbuild = await import("esbuild");
  building++;
  try {
    return await build(esbuild);
  } finally {
    if (--building === 0) await esbuild.stop();
  }
}
