// The first page's chart, at once: where it is going to stand, or as soon as that is known, until the page has drawn it itself.
// It is given `glimpse`, and a picked point's key goes to `window.hmaPicked`, where the chart finds it (diagram.js).

const early = document.getElementById('early'), began = performance.now(), page = location.pathname;

const widthOfBar = () => {
  const bar = document.createElement('div');
  bar.style.cssText = 'position: absolute; visibility: hidden; overflow: scroll; width: 99px; scrollbar-width: thin';
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

let isLeft = false;

const leave = () => {
  isLeft = true;
  document.body.style.background = '';
  early.parentElement.remove();
};

/** Leave a page that has no chart for it: what was picked leads nowhere. */
const giveUp = () => {
  window.hmaPicked = undefined;
  leave();
};

/** Frames for which the chart's place must not have moved on the page to count as found, since the page is built bit by bit; and
 * for which a page that has all it is to have may be without its chart. */
const STILL = 30, PATIENT = 600;

let stood, frames, idle = 0;

/** Where the chart's place is on the screen, once it stands still on the page. */
const found = (place, main) => {
  const box = place.getBoundingClientRect(), around = main.getBoundingClientRect();
  const stands = [box.left - around.left, box.top - around.top, box.width].join();
  frames = stands === stood ? frames + 1 : 0;
  stood = stands;
  return frames > STILL ? box : undefined;
};

/** Stay where the page has its chart until that is drawn (which diagram.js tells), and go where the page has none after all. */
const follow = () => {
  if (isLeft) return;
  const [app, main, place] = ['[data-testid="stApp"]', '[data-testid="stMainBlockContainer"]', '.st-key-chart_place']
    .map(name => document.querySelector(name));
  if (place?.querySelector('.main-svg, .hma-glimpse')) return leave();
  idle = app?.dataset.testScriptState === 'notRunning' && main?.querySelector('.stElementContainer') ? idle + 1 : 0;
  if ((idle && !place) || idle > PATIENT || location.pathname !== page || performance.now() - began > 60000) return giveUp();
  const box = place && found(place, main);
  if (box?.width) Object.assign(early.style, { display: 'block', left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px` });
  requestAnimationFrame(follow);
};

const figure = figureOf(document.getElementById('early-figure'));
early.style.background = document.body.style.background = figure.layout.template.layout.hoverlabel.bgcolor;
early.style.setProperty('--bar', `${widthOfBar()}px`);
addEventListener('hma-drawn', leave, { once: true });
early.onwheel = ({ deltaY }) => document.querySelector('[data-testid="stMain"]')?.scrollBy(0, deltaY); // It lies on no scroller.
glimpse(early, figure, key => { window.hmaPicked = key; });
follow();
