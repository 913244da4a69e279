// Starts Swagger UI with the description of the service that serves this page.
"use strict";

const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");

function applyScheme() {
  document.documentElement.classList.toggle("dark-mode", darkScheme.matches);
}

// "Try it out" fills every example into the request. An optional parameter belongs there only if the reader wants it,
// so its example moves into the description.
function withRequiredExamplesOnly(text) {
  const description = JSON.parse(text);
  for (const operations of Object.values(description.paths)) {
    for (const operation of Object.values(operations)) {
      for (const parameter of operation.parameters ?? []) {
        if (!parameter.required && "example" in parameter) {
          parameter.description = `${parameter.description ?? ""}\n\nExample: \`${parameter.example}\``;
          delete parameter.example;
        }
      }
    }
  }
  return JSON.stringify(description);
}

// Swagger UI's own filter knows groups and paths only.
function filterOperations(groups, phrase) {
  const words = phrase.toLowerCase().split(/\s+/);
  const matches = (entry, group) => {
    const operation = entry.get("operation");
    const about = ["operationId", "summary", "description"].map((name) => operation.get(name) ?? "");
    const parameters = [...(operation.get("parameters") ?? [])].map((parameter) => parameter.get("name"));
    const text = [group, entry.get("method"), entry.get("path"), ...about, ...parameters].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return groups
    .map((group, name) => group.update("operations", (entries) => entries.filter((entry) => matches(entry, name))))
    .filter((group) => group.get("operations").size > 0);
}

// Swagger UI's own field says "Filter by tag or path", and has no label.
function createFilterField(original, { React }) {
  return function FilterField({ layoutSelectors, layoutActions }) {
    const filter = layoutSelectors.currentFilter();
    const field = React.createElement("input", {
      "aria-label": "Filter operations",
      className: "operation-filter-input",
      onChange: (event) => layoutActions.updateFilter(event.target.value),
      placeholder: "Filter by path, name or text",
      type: "search",
      value: typeof filter === "string" ? filter : "",
    });
    return React.createElement("div", { className: "filter-container wrapper filter" }, field);
  };
}

applyScheme();
darkScheme.addEventListener("change", applyScheme);

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  layout: "BaseLayout",
  plugins: [
    () => ({
      fn: { opsFilter: filterOperations },
      wrapComponents: { FilterContainer: createFilterField },
      statePlugins: {
        spec: { wrapActions: { updateSpec: (update) => (text) => update(withRequiredExamplesOnly(text)) } },
      },
    }),
  ],
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  tryItOutEnabled: false,
  validatorUrl: null,
  withCredentials: false,
});
