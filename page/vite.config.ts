import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const bundle = "../src/bustle/webapp/static";
const sources = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"];

/** Stands for all that the bundle is made of; a test of the Python package compares it. */
function sourcesDigest(): string {
  const below = readdirSync("src", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).replaceAll("\\", "/"));
  const digest = createHash("sha256");
  for (const path of [...sources, ...below].sort()) {
    digest.update(`${path}\0`).update(readFileSync(path)).update("\0");
  }
  return digest.digest("hex");
}

function signed(): Plugin {
  return {
    name: "signed-by-sources",
    apply: "build",
    writeBundle: (options) => writeFileSync(join(options.dir ?? bundle, "sources.sha256"), `${sourcesDigest()}\n`),
  };
}

export default defineConfig({
  base: "/",
  plugins: [signed()],
  build: { outDir: bundle, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: false, license: { fileName: "licenses.md" } },
  server: { proxy: { "/api": "http://127.0.0.1:8765" } },
});
