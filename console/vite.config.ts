import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The bundle goes into the Python package; a strict content security policy must do for it. */
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/holdfast/api/bundle",
    emptyOutDir: true,
    sourcemap: false,
    assetsInlineLimit: 0,
    target: "es2022",
    reportCompressedSize: false,
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8420", "/healthz": "http://127.0.0.1:8420" } },
});
