import js from "@eslint/js";
import globals from "globals";
import jsdoc from "eslint-plugin-jsdoc";

export default [
  js.configs.recommended,
  {
    files: ["map/*.js"],
    plugins: { jsdoc },
    settings: { jsdoc: { mode: "typescript" } },
    rules: {
      "jsdoc/require-jsdoc": ["error", { publicOnly: true, require: { FunctionDeclaration: true, ArrowFunctionExpression: true } }],
      "jsdoc/require-description": ["error", { contexts: ["ExportNamedDeclaration > FunctionDeclaration"] }],
      "jsdoc/require-param": "error",
      "jsdoc/require-param-type": "error",
      "jsdoc/check-param-names": "error",
      "jsdoc/require-returns": ["error", { publicOnly: true }],
      "jsdoc/require-returns-type": "error",
      "jsdoc/check-tag-names": ["error", { definedTags: ["import"] }],
    },
  },
  {
    files: ["map/*.js"],
    languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "no-control-regex": "off",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-shadow": ["error", { hoist: "functions" }],
      "no-var": "error",
      "prefer-const": "error",
      "no-restricted-properties": [
        "error",
        { property: "innerHTML", message: "names come from data: use textContent" },
        { property: "outerHTML", message: "names come from data: use textContent" },
        { property: "insertAdjacentHTML", message: "names come from data: use textContent" },
        { property: "write", object: "document", message: "names come from data: use textContent" },
      ],
      "no-restricted-globals": ["error", "fetch", "XMLHttpRequest", "WebSocket", "EventSource", "localStorage", "eval"],
    },
  },
];
