/** Writes `docs/errors.md`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorsPage } from "./errors-page.ts";
import { ROOT } from "./modules.ts";

writeFileSync(join(ROOT, "docs/errors.md"), errorsPage());
