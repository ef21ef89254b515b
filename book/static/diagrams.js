// Draws the diagrams of a page, and draws them again when the reader changes between light and dark.
(() => {
  const LIGHT = {
    background: "#ffffff", primaryColor: "#e7f0f8", primaryTextColor: "#17212b", primaryBorderColor: "#2f6f9f",
    lineColor: "#5b6b7a", secondaryColor: "#fdf1dc", tertiaryColor: "#f4f6f8", clusterBkg: "#f6f8fa",
    clusterBorder: "#c6d0da", edgeLabelBackground: "#ffffff", noteBkgColor: "#fdf1dc", noteTextColor: "#17212b",
    noteBorderColor: "#d9932b", actorBkg: "#e7f0f8", actorTextColor: "#17212b", signalColor: "#3c4a57",
    signalTextColor: "#17212b", labelBoxBkgColor: "#e7f0f8", labelTextColor: "#17212b", loopTextColor: "#17212b",
  };
  const DARK = {
    background: "#14181d", primaryColor: "#1d3345", primaryTextColor: "#e8edf2", primaryBorderColor: "#6db3e3",
    lineColor: "#9fb0c0", secondaryColor: "#40331a", tertiaryColor: "#20262d", clusterBkg: "#1b2128",
    clusterBorder: "#3c4753", edgeLabelBackground: "#14181d", noteBkgColor: "#40331a", noteTextColor: "#f3e6cf",
    noteBorderColor: "#e0a54a", actorBkg: "#1d3345", actorTextColor: "#e8edf2", signalColor: "#c3ced8",
    signalTextColor: "#e8edf2", labelBoxBkgColor: "#1d3345", labelTextColor: "#e8edf2", loopTextColor: "#e8edf2",
  };
  // Mermaid measures text before it draws: the font has to be the one that pre.mermaid has in book.css.
  const FONT = "Arial, Helvetica, sans-serif"; // as wide on every machine, also where it was drawn while building
  const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");
  let drawn = null;
  let busy = Promise.resolve();

  async function draw() {
    const wanted = theme();
    if (wanted === drawn) return;
    drawn = wanted;
    const diagrams = [...document.querySelectorAll("pre.mermaid")];
    for (const diagram of diagrams) {
      diagram.dataset.source ??= diagram.textContent;
      diagram.removeAttribute("data-processed");
      diagram.textContent = diagram.dataset.source;
    }
    window.mermaid.initialize({
      startOnLoad: false,
      securityLevel: "loose", // the code map's boxes are links; every diagram is ours
      theme: "base",
      themeVariables: { ...(wanted === "dark" ? DARK : LIGHT), darkMode: wanted === "dark", fontFamily: FONT, fontSize: "15px" },
      flowchart: { useMaxWidth: true, htmlLabels: false },
      sequence: { useMaxWidth: true },
    });
    await window.mermaid.run({ nodes: diagrams });
    for (const drawing of document.querySelectorAll("pre.mermaid svg")) {
      // On a phone a wide diagram scrolls in its frame before its text becomes too small to read.
      drawing.style.setProperty("--narrowest", `${Math.round(0.72 * drawing.viewBox.baseVal.width)}px`);
    }
    document.documentElement.dataset.diagrams = wanted;
  }

  function schedule() {
    busy = busy.then(draw).catch((error) => console.error("diagram:", error));
  }

  new MutationObserver(schedule).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  schedule();
})();
