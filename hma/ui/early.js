// The first page's chart, at once: where it is going to stand, or as soon as that is known, until the page has drawn it itself.
// It is given `glimpse`, and a picked point's key goes to `window.hmaPicked`, where the chart finds it (diagram.js).

const early = document.getElementById('early'), began = performance.now();

const widthOfBar = () => {
  const bar = document.createElement('div');
  bar.style.cssText = 'position: absolute; visibility: hidden; overflow: scroll; width: 99px';
  document.body.append(bar);
  const width = bar.offsetWidth - bar.clientWidth;
  bar.remove();
  return width;
};

/** Whether a person chose another theme than their system's, which only Streamlit's own code knows how to draw. */
const isOwnTheme = () => {
  try { return Object.keys(localStorage).some(name => name.startsWith('stActiveTheme')); } catch { return false; /* not allowed */ }
};

/** The figure in the system's theme, with the ring about the point that the address names. */
const figureOf = (text, dark) => {
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches, linked = new URLSearchParams(location.search).get('point');
  const figure = JSON.parse(isDark ? Object.entries(dark).reduce((all, [light, own]) => all.replaceAll(light, own), text) : text);
  const picker = figure.data.at(-1);
  if (linked) picker.selectedpoints = [picker.customdata.indexOf(linked)];
  return figure;
};

/** Stay where the page has its chart, and go when that is drawn, or where the page has none after all. */
const follow = () => {
  const [app, main, place] = ['[data-testid="stApp"]', '[data-testid="stMainBlockContainer"]', '.st-key-chart_place']
    .map(name => document.querySelector(name));
  const isOver = !place && app?.dataset.testScriptState === 'notRunning' && main?.querySelector('.stElementContainer');
  if (isOver || place?.querySelector('.main-svg, .hma-glimpse') || performance.now() - began > 60000) return early.remove();
  const { left, top, width } = place?.getBoundingClientRect() ?? {};
  if (width) Object.assign(early.style, { display: 'block', left: `${left}px`, top: `${top}px`, width: `${width}px` });
  requestAnimationFrame(follow);
};

if (isOwnTheme()) early.remove();
else {
  early.style.setProperty('--bar', `${widthOfBar()}px`);
  const given = document.getElementById('early-figure');
  glimpse(early, figureOf(given.textContent, JSON.parse(given.dataset.dark)), key => { window.hmaPicked = key; });
  follow();
}
