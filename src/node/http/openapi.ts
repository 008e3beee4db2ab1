/** The document at `/api/v1/openapi.json`, made out of the routes' own schemas. */
import fastifySwagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";

/** Registers before the routes: it collects them as they come, and builds the document when it is asked for. */
export async function collectOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Ringfold",
        version: "1",
        description:
          "Everything that the command line does. Loopback only; every write is JSON from this machine. " +
          "Bodies of files and bundles go to the data process: follow the 307 with the body.",
        license: { name: "Apache-2.0" },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (collected) => {
      const document = jsonSchemaTransformObject(collected);
      dropUnused(document as Document);
      return document;
    },
  });
}

/** The parts of the document that we touch. */
interface Document {
  readonly components?: { readonly schemas?: object };
  readonly paths?: object;
}

/** Each schema comes in an input and an output form; the document keeps those that something refers to. */
function dropUnused(document: Document): void {
  const schemas = (document.components?.schemas ?? {}) as Record<string, unknown>;
  const used = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(JSON.stringify(schemas[name]));
    }
  };
  visit(JSON.stringify(document.paths));
  for (const name of Object.keys(schemas)) if (!used.has(name)) delete schemas[name];
}
