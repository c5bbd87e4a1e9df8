// A Plotly figure that is changed in place: what was dragged or zoomed stays, and nothing blanks in between.

const AXES = ['xaxis', 'yaxis'];

const CODE = 'plotly-code';

// One object for all: a figure whose configuration is another is not changed in place.
const BUTTONS = document.fullscreenEnabled ? { modeBarButtonsToAdd: [{
  name: 'fullscreen',
  title: 'Fullscreen',
  icon: {
    width: 1000, height: 1000, ascent: 850, descent: 150,
    path: 'M60 60h330v110H170v220H60zM610 60h330v330H830V170H610zM60 610h110v220h220v110H60zM830 610h110v330H610V830h220z',
  },
  click: place => document.fullscreenElement ? document.exitFullscreen() : place.parentElement.requestFullscreen().then(() => place.focus()),
}] } : {};

/** Run Plotly, which the page names since its first line: a script that runs already, or a link that was only fetched. */
const run = () => new Promise((found, lost) => {
  if (window.Plotly) return found();
  let tag = document.getElementById(CODE);
  if (tag?.tagName !== 'SCRIPT') {
    const script = Object.assign(document.createElement('script'), { id: CODE, src: tag?.href ?? '/plotly.min.js' });
    tag?.remove();
    document.head.append(tag = script);
  }
  tag.addEventListener('load', found);
  tag.addEventListener('error', () => { tag.remove(); lost(); });
});

let running;
const library = async () => {
  await (running ??= run().catch(() => {}));
  if (window.Plotly) return window.Plotly;
  running = undefined; // The next figure tries again.
  throw new Error("The chart's code did not come. Reload the page; if it stays away, start the app with `make run` or `python -m hma app`.");
};

/** The ring goes to the clicked point at once; the page's answer, with the point's bars, comes later. */
const ring = (Plotly, place, key) => {
  const picker = place.data.length - 1, at = (place.data[picker].customdata || []).indexOf(key);
  if (at >= 0) Plotly.restyle(place, { selectedpoints: [[at]] }, [picker]).then(() => look(place));
};

const pick = (Plotly, place, key) => {
  ring(Plotly, place, key);
  place.clicked(key);
};

/** As large as its place is, whose size may change; an axis that was moved by hand stays while the view is the same. */
const layoutOf = (place, { figure: { layout: { height, ...layout } }, view }) => {
  const before = place._fullLayout, isSame = before?.uirevision === view;
  const axes = AXES.filter(name => isSame && moved(before, name) && layout[name]?.range);
  const kept = Object.fromEntries(axes.map(name => [name, { ...layout[name], range: moved(before, name) }]));
  return { ...layout, ...kept, autosize: true, clickmode: 'event', uirevision: view };
};

/** Where axes were moved to by hand, by chart and view: a chart that comes back after another page is moved there again. */
const leftAt = window.hmaLeftAt ??= {};

const leave = place => {
  const moves = AXES.filter(name => moved(place._fullLayout, name)).map(name => [name, [...place._fullLayout[name].range]]);
  leftAt[place.named] = Object.fromEntries(moves);
};

/** Move axes to ranges by name as a hand does, so that they stay there; where they are then at home they count as not moved. */
const moveTo = (Plotly, place, ranges) => {
  for (const name of Object.keys(ranges)) {
    const axis = place._fullLayout[name];
    [axis._rangeInitial0, axis._rangeInitial1].forEach((value, side) => { place._fullLayout._preGUI[`${name}.range[${side}]`] = value; });
  }
  const to = Object.entries(ranges).map(([name, range]) => [`${name}.range`, [...range]]);
  return Plotly.relayout(place, Object.fromEntries(to));
};

const comeBack = (Plotly, place) => Object.keys(leftAt[place.named] ?? {}).length && moveTo(Plotly, place, leftAt[place.named]);

/** Where the selected point stands, by axis; nothing where none is selected. */
const selectedAt = place => {
  const { x, y, selectedpoints } = place.data.at(-1) ?? {}, at = selectedpoints?.[0];
  return at !== undefined && { xaxis: x[at], yaxis: y[at] };
};

/** Offer the way back from what was moved by hand, and to a selected point that lies outside the axes. */
const look = place => {
  const point = selectedAt(place), holds = ({ range }, value) => value >= Math.min(...range) && value <= Math.max(...range);
  const isOutside = point && !AXES.every(name => holds(place._fullLayout[name], point[name]));
  const button = place.nextElementSibling;
  button.hidden = !isOutside && !AXES.some(name => moved(place._fullLayout, name));
  button.textContent = isOutside ? place.words.outside : place.words.moved;
};

/** Lead the axes home, and on to the selected point where it lies outside even there. */
const back = (Plotly, place) => {
  const point = selectedAt(place) || {};
  const around = name => {
    const { _rangeInitial0: low, _rangeInitial1: high } = place._fullLayout[name], margin = (high - low) / 20;
    return [point[name] < low ? point[name] - margin : low, point[name] > high ? point[name] + margin : high];
  };
  place.focus(); // The button goes.
  return moveTo(Plotly, place, Object.fromEntries(AXES.map(name => [name, around(name)])));
};

/** The range that an axis had before it was moved by hand, by which Plotly knows it again; nothing for one that was not. */
const moved = ({ _preGUI: was }, name) => {
  const range = [was[`${name}.range[0]`], was[`${name}.range[1]`]];
  return range.every(Number.isFinite) && range;
};

/** Where a double click leads to: the ranges of the figure that is shown, and not those of the first. */
const setHome = (place, { figure: { layout } }) => {
  for (const name of AXES) {
    const axis = place._fullLayout[name], range = layout[name]?.range;
    if (axis && range) [axis._rangeInitial0, axis._rangeInitial1] = range;
  }
};

/** An axis that was led home counts as one that nobody moved. */
const forgetMoves = place => {
  for (const name of AXES) {
    const axis = place._fullLayout[name];
    if (axis && axis.range[0] === axis._rangeInitial0 && axis.range[1] === axis._rangeInitial1)
      for (const part of ['range[0]', 'range[1]', 'autorange']) delete place._fullLayout._preGUI[`${name}.${part}`];
  }
};

const begin = (Plotly, place) => {
  place.on('plotly_click', event => {
    const key = event.points[0]?.customdata;
    if (!key || !place.clicked || performance.now() - place.ledHome < 500) return; // A double click's second lands elsewhere.
    pick(Plotly, place, key);
  });
  place.on('plotly_doubleclick', () => { place.ledHome = performance.now(); });
  place.on('plotly_relayout', () => { forgetMoves(place); leave(place); look(place); });
  place.nextElementSibling.onclick = () => back(Plotly, place);
  place.onkeydown = ({ key }) => { if (key === 'Escape' && document.fullscreenElement) document.exitFullscreen(); };
  const fits = ({ width, height }) => Math.abs(place.clientWidth - width) < 1 && Math.abs(place.clientHeight - height) < 1;
  new ResizeObserver(() => { if (place.clientWidth && !fits(place._fullLayout)) Plotly.Plots.resize(place); }).observe(place);
};

/** Ask for a figure of the page's theme, once, where that has changed since the figure was made. */
const follow = (place, theme, setTriggerValue) => {
  const page = /dark/.test(getComputedStyle(place).colorScheme) ? 'dark' : 'light';
  if (page !== theme && place.asked !== page) setTriggerValue('themed', page);
  place.asked = page === theme ? undefined : page;
};

/** Draw what is drawn at once, of points; its layer goes when the chart is there, which comes all the same where this fails. */
const foreshow = (place, { figure }) => {
  place.foreshown?.remove();
  if (!figure.data.every(({ type }) => /^scatter/.test(type))) return;
  try {
    place.foreshown = glimpse(place.parentElement, figure, place.clicked && (key => place.clicked(key)));
    window.dispatchEvent(new Event('hma-drawn')); // What stood here before may go.
  } catch (error) {
    console.error(error);
  }
};

/** Take over from the chart that stood here before the page did (early.js): the key of a point that was picked there, once. */
const takeOver = ({ name, figure }) => {
  if (name !== 'chart') return undefined;
  const key = window.hmaPicked;
  window.hmaPicked = undefined;
  return figure.data.at(-1).customdata?.includes(key) ? key : undefined;
};

const select = (place, { figure }, key) => {
  const picker = figure.data.at(-1), at = picker.customdata.indexOf(key);
  if (picker.selectedpoints[0] === at) return;
  picker.selectedpoints = [at];
  place.clicked(key);
};

/** What Streamlit calls when the chart is taken away; also after a call that a later one has overtaken, which must go on. */
const endOf = place => () => {
  if (place.isConnected || !place.data) return;
  window.Plotly.purge(place);
  place.isBegun = false;
};

export default async function ({ data: bytes, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector('.hma-diagram'), wanted = new TextDecoder().decode(bytes);
  const data = JSON.parse(wanted), isSame = place.wanted === wanted;
  place.clicked = data.clickable && (key => setTriggerValue('clicked', key));
  follow(place, data.theme, setTriggerValue);
  if (isSame) return endOf(place); // The page ran again, and nothing changed.
  place.wanted = wanted;
  place.words = { outside: data.outside, moved: data.moved };
  place.named = `${data.name} ${data.view}`;
  place.setAttribute('aria-label', data.alt);
  place.style.height = `${data.figure.layout.height}px`;
  const picked = takeOver(data);
  if (picked) select(place, data, picked);
  if (!window.Plotly) foreshow(place, data);
  const Plotly = await library();
  if (place.wanted !== wanted) return endOf(place);
  const buttons = data.config.displayModeBar === false ? {} : BUTTONS;
  await Plotly.react(place, data.figure.data, layoutOf(place, data), { ...data.config, ...buttons });
  if (!place._fullLayout) return endOf(place); // It was taken away meanwhile.
  place.foreshown?.remove();
  place.foreshown = undefined;
  window.dispatchEvent(new Event('hma-drawn'));
  const late = takeOver(data);
  if (late) pick(Plotly, place, late);
  setHome(place, data);
  if (place.isBegun) leave(place);
  else {
    place.isBegun = true;
    begin(Plotly, place);
    comeBack(Plotly, place);
  }
  look(place);
  return endOf(place);
}
