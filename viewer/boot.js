// Starts Studio with local settings, one layout and one extension; nothing is fetched from elsewhere.
const LAYOUT_ID = "district";
const PANEL = { id: "district-twin", name: "district-twin", qualifiedName: "district-twin", namespace: "local" };

/** Settings that live as long as the page. */
function settingsOf(values) {
  const listeners = new Map();
  return {
    get: (key) => values[key],
    set: async (key, value) => {
      values[key] = value;
      for (const listener of listeners.get(key) ?? []) listener(value);
    },
    addChangeListener: (key, listener) => listeners.set(key, new Set(listeners.get(key)).add(listener)),
    removeChangeListener: (key, listener) => listeners.get(key)?.delete(listener),
  };
}

/** A store of layouts that lives as long as the page and starts with the district's. */
function layoutStoreOf(data) {
  const first = {
    id: LAYOUT_ID,
    name: "District",
    permission: "CREATOR_WRITE",
    baseline: { data, savedAt: new Date().toISOString() },
  };
  const byId = new Map([[first.id, first]]);
  return {
    list: async () => Array.from(byId.values()),
    get: async (_namespace, id) => byId.get(id),
    put: async (_namespace, layout) => byId.set(layout.id, layout).get(layout.id),
    delete: async (_namespace, id) => void byId.delete(id),
    importLayouts: async () => undefined,
  };
}

/** Gives Studio the panel of open alerts. */
function extensionLoaderOf(source) {
  const refuse = async () => {
    throw new Error("extensions are part of this page");
  };
  return {
    namespace: "local",
    getExtensions: async () => [
      { ...PANEL, displayName: "District Twin", description: "", homepage: "", keywords: [], license: "Apache-2.0",
        publisher: "district-twin", version: "0.1.0" },
    ],
    loadExtension: async () => source,
    installExtension: refuse,
    uninstallExtension: refuse,
  };
}

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

async function boot() {
  const query = new URLSearchParams(location.search);
  const [layout, panel] = await Promise.all([
    load("layout.json").then((response) => response.json()),
    load("alerts_panel.js").then((response) => response.text()),
  ]);
  // The district's layout, no hints for beginners, and no side bar open.
  const profile = { currentLayoutId: LAYOUT_ID, onboarding: { settingsTooltipShownForPanelTypes: ["3D"] } };
  localStorage.setItem("studio.profile-data", JSON.stringify(profile));
  localStorage.setItem("fox.workspace", JSON.stringify({ state: { sidebarItem: null }, version: 0 }));
  await window.initI18n?.();
  const app = React.createElement(App, {
    appConfiguration: settingsOf({
      colorScheme: query.get("colors") ?? "dark",
      "ui.open-dialog-startup": false,
      "telemetry.telemetryEnabled": false,
      "telemetry.crashReportingEnabled": false,
      "updates.enabled": false,
      hideSignInPrompt: true,
    }),
    dataSources: [new FoxgloveWebSocketDataSourceFactory(), new RemoteDataSourceFactory()],
    deepLinks: [location.href],
    enableGlobalCss: true,
    extensionLoaders: [extensionLoaderOf(panel)],
    layoutStorage: layoutStoreOf(layout),
  });
  ReactDOM.render(app, document.getElementById("root"));
}

boot().catch((error) => {
  document.body.innerHTML = '<div id="failure"></div>';
  document.getElementById("failure").textContent = `The view could not start: ${error.message}`;
});
