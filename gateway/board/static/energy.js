// Energy per hour: the figure comes from the board's Python, plotly.js draws it. Loaded after the tiles: it is large.

const dark = matchMedia("(prefers-color-scheme: dark)");
let loading = null;

function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/plotly.js";
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.js could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

export function energy(container) {
  async function refresh() {
    const answer = await fetch(`/api/v1/figures/energy?theme=${dark.matches ? "dark" : "light"}`);
    if (!answer.ok) return;
    const [figure, library] = [await answer.json(), await plotly()];
    figure.layout.font.size = parseFloat(getComputedStyle(container).fontSize);
    await library.react(container, figure.data, figure.layout, { displayModeBar: false, responsive: true });
    container.dataset.ready = "true";
  }
  dark.addEventListener("change", refresh);
  return { refresh };
}
