// Prints the faults of the AsyncAPI document in a file, one a line.
import { readFileSync } from "node:fs";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, code, message, path } of diagnostics) {
  if (severity <= 1) console.log(code, message, path.join("/"));
}
