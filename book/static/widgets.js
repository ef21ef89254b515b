// A host for anywidgets on a page without a kernel: what is left of a notebook's widgets is their state, and an ES module
// in it. Each view gets its model, and the model is shared by all views of it. No require.js, no widget manager; works
// from a file as well, where a page may import a module from memory, but from nowhere else.
(() => {
  const STATE = "application/vnd.jupyter.widget-state+json", VIEW = "application/vnd.jupyter.widget-view+json";

  /** A model as anywidget's modules know it. There is nobody to talk to: what is sent goes nowhere. */
  class Model {
    constructor(state) {
      this.state = state;
      this.listeners = new Map();
    }
    get(name) { return this.state[name]; }
    set(name, value) {
      if (this.state[name] === value) return;
      this.state[name] = value;
      this.trigger(`change:${name}`, this, value);
      this.trigger("change", this);
    }
    save_changes() {}
    send() {}
    on(event, react) { this.listeners.set(event, [...(this.listeners.get(event) ?? []), react]); }
    off(event, react) { this.listeners.set(event, (this.listeners.get(event) ?? []).filter((f) => react && f !== react)); }
    trigger(event, ...values) { for (const react of this.listeners.get(event) ?? []) react(...values); }
  }

  const modules = new Map();
  function importText(text) {
    if (!modules.has(text)) {
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      modules.set(text, import(address).finally(() => URL.revokeObjectURL(address)));
    }
    return modules.get(text);
  }

  async function start() {
    const states = {}, models = new Map();
    for (const script of document.querySelectorAll(`script[type="${STATE}"]`)) Object.assign(states, JSON.parse(script.textContent).state);
    await Promise.all([...document.querySelectorAll(`script[type="${VIEW}"]`)].map(async (script) => {
      const id = JSON.parse(script.textContent).model_id, state = states[id]?.state;
      if (!state?._esm) return;
      const el = document.createElement("div");
      el.className = "cl-widget";
      script.after(el);
      try {
        if (!models.has(id)) models.set(id, new Model(state));
        let widget = (await importText(state._esm)).default;
        if (typeof widget === "function") widget = await widget();
        const model = models.get(id), signal = new AbortController().signal;
        if (!model.ready) model.ready = Promise.resolve(widget.initialize?.({ model, signal }));
        await model.ready;
        await widget.render({ model, el, signal });
      } catch (error) {
        el.textContent = `This figure could not start: ${error.message}`;
        throw error;
      }
    }));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
