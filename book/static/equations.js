// Typesets what Sphinx leaves as \( … \) and \[ … \], with KaTeX.
const beside = name =>
  new URL(`katex/${name}`, document.currentScript.src).href;
const style = Object.assign(document.createElement("link"), {
  rel: "stylesheet", href: beside("katex.min.css"),
});
const katexScript = Object.assign(document.createElement("script"), {
  src: beside("katex.min.js"),
  onload() {
    for (const box of document.querySelectorAll(".math")) {
      const text = box.textContent.trim();
      const displayMode = text.startsWith("\\[");
      if (displayMode || text.startsWith("\\("))
        katex.render(text.slice(2, -2), box, {displayMode});
    }
  },
});
addEventListener("DOMContentLoaded", () =>
  document.head.append(style, katexScript));
