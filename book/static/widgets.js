// Brings the widgets of a static page to life, after everything else has loaded: require.js would otherwise be taken
// for the module loader by scripts such as mermaid, which then register nowhere.
(() => {
  const here = document.currentScript.src;
  const { require: requireAt, embed: embedAt } = document.currentScript.dataset; // set only where npm was missing

  function load(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`cannot load ${address}`));
      document.head.append(script);
    });
  }

  async function start() {
    await load(requireAt || new URL("vendor/widgets/require.js", here).href);
    if (!requireAt) {
      window.require.config({ paths: { anywidget: new URL("vendor/widgets/anywidget", here).href } });
    }
    await load(embedAt || new URL("vendor/widgets/embed-amd.js", here).href);
  }

  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();
