// Two helps for a reader: a card with what a word means, and a line of text under each search result. `glossary.js` and
// `texts.js` bring the words, as scripts: a page opened as a file may not fetch anything.
(() => {
  function cards() {
    const card = document.createElement("div");
    Object.assign(card, { id: "term-card", className: "term-card", hidden: true });
    card.setAttribute("role", "tooltip");
    document.body.append(card);
    let timer = 0, current = null;
    const hide = () => {
      current?.removeAttribute("aria-describedby");
      current = null;
      card.hidden = true;
    };
    const later = () => { clearTimeout(timer); timer = setTimeout(hide, 200); };
    const show = (link, words) => {
      clearTimeout(timer);
      hide();
      current = link;
      card.textContent = words;
      card.hidden = false;
      link.setAttribute("aria-describedby", card.id);
      const box = link.getClientRects()[0] ?? link.getBoundingClientRect(), room = document.documentElement.clientWidth;
      const under = box.bottom + card.offsetHeight + 12 < innerHeight;
      card.style.left = `${Math.max(8, Math.min(box.left, room - card.offsetWidth - 8)) + scrollX}px`;
      card.style.top = `${(under ? box.bottom + 6 : box.top - card.offsetHeight - 6) + scrollY}px`;
    };
    for (const link of document.querySelectorAll('.bd-article a[href*="glossary.html#"]')) {
      const words = window.bookTerms?.[decodeURIComponent(link.hash.slice(1))];
      if (!words) continue;
      link.classList.add("term");
      link.removeAttribute("title");
      link.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(link, words); });
      link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link, words); });
      for (const end of ["pointerleave", "blur"]) link.addEventListener(end, later);
    }
    card.addEventListener("pointerenter", () => clearTimeout(timer)); // the card can be read, and marked
    card.addEventListener("pointerleave", later);
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  }

  /** The words around the first match of a query in a page's text, or its first words. */
  function excerpt(text, query) {
    const low = text.toLowerCase(), places = query.map((word) => low.indexOf(word)).filter((at) => at >= 0);
    const from = Math.max(0, (places.length ? Math.min(...places) : 0) - 60), begin = from ? low.indexOf(" ", from) + 1 : 0;
    const short = text.slice(begin, begin + 180);
    return `${begin ? "… " : ""}${short}${begin + 180 < text.length ? " …" : ""}`;
  }
  function results(list) {
    const query = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const look = () => {
      for (const item of list.querySelectorAll("ul.search > li:not([data-told])")) {
        item.dataset.told = "";
        const name = new URL(item.querySelector("a").href).pathname.match(/((?:book|notebooks)\/[^/]+)\.html$/)?.[1];
        const text = window.bookTexts?.[name];
        if (!text) continue;
        const line = document.createElement("p");
        line.className = "context";
        for (const part of excerpt(text, query).split(new RegExp(`(${query.map((w) => w.replace(/[^\w]/g, "\\$&")).join("|")})`, "i"))) {
          const node = document.createElement(query.includes(part.toLowerCase()) ? "mark" : "span");
          node.textContent = part;
          line.append(node);
        }
        item.append(line);
      }
    };
    new MutationObserver(look).observe(list, { childList: true, subtree: true });
    look();
  }

  function start() {
    cards();
    const list = document.getElementById("search-results");
    if (list) results(list);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
