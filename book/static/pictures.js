// Puts each moving picture in the place of its still, once it is near.
const here = new URL(".", document.currentScript.src);
const kind = "script[type='application/vnd.vegalite.v5+json']";
let library;

function load(name) {
  return new Promise((loaded, failed) => {
    const script = document.createElement("script");
    Object.assign(script, {src: new URL(name, here), async: false});
    Object.assign(script, {onload: loaded, onerror: failed});
    document.head.append(script);
  });
}

function narrowed(specification, by) {
  const {width, vconcat} = specification;
  return {
    ...specification,
    ...(width && {width: width - by}),
    ...(vconcat && {vconcat: vconcat.map(one => narrowed(one, by))}),
  };
}

async function draw(script) {
  const names = ["vega.min.js", "vega-lite.min.js", "vega-embed.min.js"];
  await (library ??= Promise.all(names.map(load)));
  const specification = JSON.parse(script.textContent);
  const figure = script.closest(".moving-picture");
  const place = document.createElement("div");
  figure.append(place);
  // its description speaks for it, and its title says the numbers
  const config = {mark: {aria: false}};
  const options = {actions: false, renderer: "svg", config};
  const show = one => vegaEmbed(place, one, options);
  await show(specification);
  const whole = +place.querySelector("svg").getAttribute("width");
  let narrower = 0;
  const fit = async () => {
    const over = Math.max(0, whole + 2 - place.clientWidth);
    if (over === narrower) return;
    narrower = over;
    await show(narrowed(specification, over));
  };
  await fit();
  new ResizeObserver(fit).observe(place);
  figure.querySelector("img").hidden = true;
  figure.classList.add("moves");
}

const near = new IntersectionObserver(entries => {
  for (const {isIntersecting, target} of entries)
    if (isIntersecting) {
      near.unobserve(target);
      draw(target.querySelector(kind));
    }
}, {rootMargin: "600px"});

for (const script of document.querySelectorAll(kind))
  near.observe(script.closest(".moving-picture"));

// What scrolls sideways can be reached and scrolled with the keyboard.
for (const box of document.querySelectorAll("pre, .pst-scrollable-table-container, .output.text_html, div.math"))
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
