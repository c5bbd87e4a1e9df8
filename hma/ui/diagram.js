// A Plotly figure that is changed in place: what was dragged or zoomed stays, and nothing blanks in between.

// One object for all: a figure whose configuration is another is not changed in place.
const BUTTONS = { modeBarButtonsToAdd: [{
  name: 'fullscreen',
  title: 'Fullscreen',
  icon: {
    width: 1000, height: 1000, ascent: 850, descent: 150,
    path: 'M60 60h330v110H170v220H60zM610 60h330v330H830V170H610zM60 610h110v220h220v110H60zM830 610h110v330H610V830h220z',
  },
  click: place => document.fullscreenElement ? document.exitFullscreen() : place.requestFullscreen(),
}] };

/** Plotly, which the page names since its first line; it is run where it was only fetched. */
const library = () => new Promise((found, lost) => {
  if (window.Plotly) return found(window.Plotly);
  const fail = () => lost(new Error("The chart's code is not here: start the app with `make run` or `python -m hma app`."));
  let tag = document.getElementById('plotly-code');
  if (!tag) return fail();
  if (tag.tagName === 'LINK') {
    const script = Object.assign(document.createElement('script'), { id: tag.id, src: tag.href });
    tag.replaceWith(script);
    tag = script;
  }
  tag.addEventListener('load', () => found(window.Plotly));
  tag.addEventListener('error', fail);
});

/** The ring goes to the clicked point at once; the page's answer, with the point's bars, comes later. */
const ring = (Plotly, place, key) => {
  const picker = place.data.length - 1, at = (place.data[picker].customdata || []).indexOf(key);
  if (at >= 0) Plotly.restyle(place, { selectedpoints: [[at]] }, [picker]);
};

/** As large as its place is, whose size may change. */
const layoutOf = ({ figure: { layout: { height, ...layout } }, view }) =>
  ({ ...layout, autosize: true, clickmode: 'event', uirevision: view });

const begin = (Plotly, place) => {
  place.on('plotly_click', event => {
    const key = event.points[0]?.customdata;
    if (!key || !place.clicked) return;
    ring(Plotly, place, key);
    place.clicked(key);
  });
  const fits = () => Math.abs(place.clientWidth - place._fullLayout.width) < 1 && Math.abs(place.clientHeight - place._fullLayout.height) < 1;
  new ResizeObserver(() => { if (place.clientWidth && !fits()) Plotly.Plots.resize(place); }).observe(place);
};

/** What Streamlit calls when the chart is taken away; also after a call that a later one has overtaken, which must go on. */
const endOf = place => () => { if (!place.isConnected && place.data) window.Plotly.purge(place); };

export default async function ({ data: bytes, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector('.hma-diagram'), wanted = new TextDecoder().decode(bytes);
  const data = JSON.parse(wanted), isSame = place.wanted === wanted;
  place.clicked = data.clickable && (key => setTriggerValue('clicked', key));
  if (isSame) return endOf(place); // The page ran again, and nothing changed.
  place.wanted = wanted;
  place.setAttribute('aria-label', data.alt);
  place.style.height = `${data.figure.layout.height}px`;
  const Plotly = await library();
  if (place.wanted !== wanted) return endOf(place);
  const isNew = !place.classList.contains('js-plotly-plot');
  const buttons = data.config.displayModeBar === false ? {} : BUTTONS;
  await Plotly.react(place, data.figure.data, layoutOf(data), { ...data.config, ...buttons });
  if (isNew) begin(Plotly, place);
  return endOf(place);
}
