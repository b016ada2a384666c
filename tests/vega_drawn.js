// Draws Vega-Lite specifications without a screen and prints what is drawn.
// node vega_drawn.js VEGA VEGA_LITE < {"specification", "settings": [{}]}
const fs = require("fs"), vm = require("vm");
for (const file of process.argv.slice(2))
  vm.runInThisContext(fs.readFileSync(file, "utf8"), file);

function marks(item, found) {
  if (item.marktype && item.role === "mark" && item.name)
    for (const one of item.items) {
      const name = item.name.replace(/(_marks|_layer_\d+.*)$/, "");
      // a line's points, or a mark of its own
      (found[name] ??= []).push({...one.datum, text: one.text});
    }
  if (item.role === "mark" && item.marktype && !item.items.length)
    found.empty += 1;
  if (item.role === "title-text")
    found.title = item.items.flatMap(one => one.text);
  for (const one of item.items ?? []) marks(one, found);
}

(async () => {
  const {specification, settings} = JSON.parse(fs.readFileSync(0, "utf8"));
  const {spec} = vegaLite.compile(specification);
  const view = new vega.View(vega.parse(spec), {renderer: "none"});
  view.initialize();
  const all = [];
  for (const setting of settings) {
    for (const [name, value] of Object.entries(setting))
      view.signal(name, value);
    await view.runAsync();
    const found = {empty: 0};
    marks(view.scenegraph().root, found);
    all.push(found);
  }
  console.log(JSON.stringify(all));
})().catch(error => { console.error(error); process.exit(1); });
