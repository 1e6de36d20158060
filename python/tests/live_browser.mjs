// A person at the live view, at a desk and with a phone: node live_browser.mjs URL SCREENSHOTS. Prints "open", waits for a line, prints what was seen as JSON.
const { chromium } = await import(`${process.env.LATENTBRIDGE_PLAYWRIGHT}/index.mjs`);
const [url, screenshots] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.LATENTBRIDGE_CHROMIUM, args: ["--no-sandbox"] });
const sizes = {
  desk: { viewport: { width: 1400, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
const errors = [];
const pages = {};
for (const [name, size] of Object.entries(sizes)) {
  const page = pages[name] = await (await browser.newContext(size)).newPage();
  page.on("pageerror", (error) => errors.push(`${name}: ${error}`));
  await page.goto(url);
  await page.waitForSelector("#dot.on");
}
console.log("open");

const steps = new Set();
let isOver = false;
process.stdin.once("data", () => { isOver = true; });
while (!isOver) {
  steps.add(await pages.desk.textContent("#at"));
  await pages.desk.waitForTimeout(60);
}

const look = (page) => page.evaluate(() => {
  const images = [...document.querySelectorAll("#stage img")].filter((image) => image.naturalWidth);
  return {
    at: document.querySelector("#at").textContent, detail: document.querySelector("#detail").textContent, panes: images.length,
    pictures: images.map((image) => image.naturalWidth), painted: images.map((image) => Math.round(image.getBoundingClientRect().width)),
    overflows: document.documentElement.scrollWidth > innerWidth, small: [...document.querySelectorAll("button, select")].filter((one) => one.offsetWidth && one.offsetHeight < 24).length,
  };
});
const shot = async (name, page) => { if (screenshots) { await page.screenshot({ path: `${screenshots}/${name}.png` }); } };
const until = (page, condition, argument) => page.waitForFunction(condition, argument, { timeout: 15000 });
const at = (page, text) => until(page, (wanted) => document.querySelector("#at").textContent === wanted, text);

const seen = { steps: [...steps] };
for (const [name, page] of Object.entries(pages)) {
  await at(page, "8 / 8");
  await until(page, () => document.querySelector("#stage img")?.naturalWidth);
  seen[name] = await look(page);
  await shot(name, page);
}

const page = pages.desk;
const before = await page.evaluate(() => document.querySelector("#stage img").src);
await page.keyboard.press("ArrowLeft");
await page.keyboard.press("ArrowLeft");
await at(page, "6 / 8");
await until(page, (old) => { const image = document.querySelector("#stage img"); return image.src !== old && image.naturalWidth; }, before);
seen.back = await look(page);
await shot("back", page);
await page.keyboard.press("1");
await page.waitForTimeout(300);
seen.exact = await look(page);
await page.keyboard.press("l");
await at(page, "8 / 8");
await page.keyboard.press("0");
await page.click("#compare");
for (const button of await page.locator(".run[aria-pressed=false]").all()) { await button.click(); }
await until(page, () => [...document.querySelectorAll("#stage img")].filter((image) => image.naturalWidth).length > 1);
await page.waitForTimeout(500);
seen.compared = await look(page);
await shot("compared", page);
const track = await pages.phone.locator("#track").boundingBox();
await pages.phone.touchscreen.tap(track.x + track.width * 0.02, track.y + track.height / 2);
await at(pages.phone, "1 / 8");
seen.tapped = await look(pages.phone);
seen.errors = errors;
console.log(JSON.stringify(seen));
await browser.close();
process.exit(0);
