// Starts the front page's film, unless the reader asked their system for less motion.
if (!window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const film of document.querySelectorAll("video.film")) {
    film.play().catch(() => {}); // a browser may refuse; the button remains
  }
}
