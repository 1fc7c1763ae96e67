// A Studio extension: the open alerts, each with its buttons. Loaded by boot.js as a CommonJS module.
const TOPIC = "/alerts_open";
const SERVICES = { Acknowledge: "/district/dispatcher/acknowledge", Cancel: "/district/dispatcher/cancel" };
const SEVERITIES = [
  ["info", "#99ccff"],
  ["warning", "#ffc21a"],
  ["serious", "#ff7a1a"],
  ["critical", "#ff4d55"],
];
const STYLE = `
  .twin-alerts { height: 100%; overflow: auto; font: 13px/1.45 Inter, sans-serif; box-sizing: border-box; padding: 8px 10px; }
  .twin-alerts p { margin: 6px 0; opacity: 0.75; }
  .twin-alerts article { border-left: 4px solid; padding: 6px 10px; margin-bottom: 8px; background: rgba(128,128,128,0.14); }
  .twin-alerts article.acknowledged { opacity: 0.65; }
  .twin-alerts h3 { margin: 0; font-size: 13px; }
  .twin-alerts small { display: block; opacity: 0.8; overflow-wrap: anywhere; }
  .twin-alerts button { margin: 6px 6px 0 0; padding: 3px 12px; font: inherit; cursor: pointer; border-radius: 3px;
    border: 1px solid currentColor; background: transparent; color: inherit; }
  .twin-alerts button:disabled { opacity: 0.4; cursor: default; }
`;

function element(name, text, parent) {
  const made = parent.appendChild(document.createElement(name));
  made.textContent = text;
  return made;
}

function initPanel(context) {
  const root = context.panelElement;
  element("style", STYLE, root);
  const list = root.appendChild(document.createElement("div"));
  list.className = "twin-alerts";
  let alerts = [];
  let answer = "";

  async function call(action, alertId) {
    try {
      const request = { alert_id: alertId, operator_name: "operator", note: "" };
      const response = await context.callService(SERVICES[action], request);
      answer = `${action}: ${response.success ? "done" : "refused"}${response.message ? `, ${response.message}` : ""}`;
    } catch (error) {
      answer = `${action}: ${error.message ?? error}`;
    }
    draw();
  }

  function drawAlert(alert) {
    const [severity, color] = SEVERITIES[Math.min(alert.severity, SEVERITIES.length - 1)];
    const card = element("article", "", list);
    card.style.borderColor = color;
    card.classList.toggle("acknowledged", alert.state === "acknowledged");
    const title = element("h3", `${severity.toUpperCase()}  ${alert.kind.replaceAll("_", " ")}`, card);
    title.style.color = color;
    element("div", [alert.text, alert.place].filter(Boolean).join(" · "), card);
    const raised = new Date(Number(BigInt(alert.raised_ns) / 1000000n)).toLocaleTimeString();
    const by = alert.operator_name ? ` by ${alert.operator_name}` : "";
    element("small", `${alert.state}${by} · raised ${raised} · ${alert.agencies.join(", ")} · ${alert.alert_id}`, card);
    for (const action of Object.keys(SERVICES)) {
      if (action === "Acknowledge" && alert.state === "acknowledged") continue;
      const button = element("button", action, card);
      button.disabled = !context.callService;
      button.onclick = () => call(action, alert.alert_id);
    }
  }

  function draw() {
    list.replaceChildren();
    element("p", alerts.length ? `${alerts.length} open` : "No open alerts.", list);
    alerts.forEach(drawAlert);
    if (answer) element("p", answer, list);
  }

  context.onRender = (state, done) => {
    const dark = state.colorScheme !== "light";
    list.style.color = dark ? "#e8e8ee" : "#222";
    list.style.background = dark ? "#15151a" : "#fff";
    const newest = state.currentFrame?.at(-1);
    if (state.didSeek && !newest) alerts = [];
    if (newest) {
      alerts = newest.message.alerts;
      draw();
    }
    done();
  };
  context.watch("currentFrame");
  context.watch("colorScheme");
  context.watch("didSeek");
  context.subscribe([{ topic: TOPIC }]);
  draw();
}

module.exports = {
  activate(extension) {
    extension.registerPanel({ name: "Alerts", initPanel });
  },
};
