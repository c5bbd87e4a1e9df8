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

/** Whether the page is going to be dark: as a person chose it before, where Streamlit keeps that, else as their system is. */
const isDark = () => {
  let chosen;
  try { chosen = JSON.parse(localStorage.getItem(`stActiveTheme-${location.pathname}-v2`)); } catch { /* Not allowed. */ }
  return chosen === 'Dark' || (chosen !== 'Light' && matchMedia('(prefers-color-scheme: dark)').matches);
};

/** The figure in the page's theme, with the ring about the point that the address names. */
const figureOf = ({ textContent: text, dataset: { dark } }) => {
  const colours = isDark() ? Object.entries(JSON.parse(dark)) : [];
  const figure = JSON.parse(colours.reduce((all, [light, own]) => all.replaceAll(light, own), text));
  const picker = figure.data.at(-1), linked = new URLSearchParams(location.search).get('point');
  if (linked) picker.selectedpoints = [picker.customdata.indexOf(linked)];
  return figure;
};

const leave = () => {
  document.body.style.background = '';
  early.remove();
};

/** Stay where the page has its chart, and go when that is drawn, or where the page has none after all. */
const follow = () => {
  const [app, main, place] = ['[data-testid="stApp"]', '[data-testid="stMainBlockContainer"]', '.st-key-chart_place']
    .map(name => document.querySelector(name));
  const isOver = !place && app?.dataset.testScriptState === 'notRunning' && main?.querySelector('.stElementContainer');
  if (isOver || place?.querySelector('.main-svg, .hma-glimpse') || performance.now() - began > 60000) return leave();
  const { left, top, width } = place?.getBoundingClientRect() ?? {};
  if (width) Object.assign(early.style, { display: 'block', left: `${left}px`, top: `${top}px`, width: `${width}px` });
  requestAnimationFrame(follow);
};

const figure = figureOf(document.getElementById('early-figure'));
early.style.background = document.body.style.background = figure.layout.template.layout.hoverlabel.bgcolor;
early.style.setProperty('--bar', `${widthOfBar()}px`);
glimpse(early, figure, key => { window.hmaPicked = key; });
follow();
