// Lints OpenAPI files by Redocly's recommended rules and Spectral's for OpenAPI, warnings included, and prints each finding.
import { createConfig, lint } from "@redocly/openapi-core";
import spectralCore from "@stoplight/spectral-core";
import spectralParsers from "@stoplight/spectral-parsers";
import spectralRulesets from "@stoplight/spectral-rulesets";
import { readFileSync } from "node:fs";

const { Spectral, Document } = spectralCore;

async function redocly(file) {
  const config = await createConfig({ extends: ["recommended"] });
  const found = await lint({ ref: file, config });
  return found.map(({ ruleId, location, message }) => `${ruleId}: ${location[0]?.pointer ?? ""}: ${message}`);
}

async function spectral(file) {
  const linter = new Spectral();
  linter.setRuleset({ extends: [[spectralRulesets.oas, "recommended"]] });
  const found = await linter.run(new Document(readFileSync(file, "utf8"), spectralParsers.Yaml, file));
  return found.map(({ code, path, message }) => `${code}: ${path.join("/")}: ${message}`);
}

let failed = false;
for (const file of process.argv.slice(2)) {
  for (const finding of [...(await redocly(file)), ...(await spectral(file))]) {
    console.log(`${file}: ${finding}`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
