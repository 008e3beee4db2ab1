/** The word count of the demo, twice: in peace, and with a node that is killed in the middle. */
import { RingfoldError } from "../base/errors.ts";
import { type Crash, type DemoCluster, type JobRun, runDemoJob } from "./demo-job.ts";
import type { DemoScreen } from "./demo-screen.ts";

/** A job that is over before the kill is run again, this often. */
const TRIES = 5;

export async function countInPeace(
  screen: DemoScreen,
  cluster: DemoCluster,
  bundle: string,
): Promise<JobRun> {
  const run = await runDemoJob(cluster, screen, { bundle, output: "count/calm", kill: false });
  checkDone(run);
  const tasks = run.view.phases.map(({ name, total }) => `${total} ${name}`).join(" and ");
  screen.step(`words counted in peace: ${tasks} tasks`, run.ms);
  return run;
}

/** @throws no-input when the text is so short that there is no middle */
export async function countWithCrash(
  screen: DemoScreen,
  cluster: DemoCluster,
  bundle: string,
): Promise<JobRun & { readonly crash: Crash }> {
  for (let n = 1; n <= TRIES; n++) {
    const output = `count/crash-${n}`;
    const run = await runDemoJob(cluster, screen, { bundle, output, kill: true });
    checkDone(run);
    const { crash } = run;
    if (crash === undefined) continue;
    if (crash.late) break;
    screen.crash(crashText(crash));
    screen.step("words counted all the same, by the four that live", run.ms);
    return { ...run, crash };
  }
  const why = `the job was over before a node could be killed in the middle of it`;
  throw new RingfoldError("no-input", `${why}: give the demo a folder with more text`);
}

function crashText({ victim, mapsDone, mapsTotal, tasks }: Crash): string {
  const share = `${mapsDone} of ${mapsTotal} maps done`;
  return `${victim.name} killed (SIGKILL) with ${share}, while it ran ${tasks.join(" and ")}`;
}

function checkDone({ view }: JobRun): void {
  if (view.state === "done") return;
  const { error } = view;
  const why = error === null ? "" : `: ${error.message} (${error.code})`;
  throw new RingfoldError("bug", `the job ${view.id} ended as ${view.state}${why}`);
}
