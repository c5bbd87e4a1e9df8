// A figure of Plotly's that is drawn at once, in its very place: it answers the pointer and takes clicks, and stands still, until
// the browser has read Plotly's code, which takes it longer than all the rest. It knows what our figures have, and no more.

const SVG = 'http://www.w3.org/2000/svg';

/** Pixels that Plotly leaves: to the left, beside the widest of the ticks' words, to the right, below; and for a line of the legend. */
const LEFT = 51, RIGHT = 14, BOTTOM = 61, PAD = 8, TICK = 4, LINE = 29;

/** Pixels from the pointer to a point's edge that still mean it, as `hoverdistance` has it; and between a press and a click of one. */
const REACH = 14, STEADY = 4;

/** Corners of Plotly's symbols, in halves of their size; what is not named is round. */
const CORNERS = {
  square: [[1, 1], [-1, 1], [-1, -1], [1, -1]],
  diamond: [[1.3, 0], [0, 1.3], [-1.3, 0], [0, -1.3]],
  cross: [[1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2], [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4], [-0.4, -1.2],
    [0.4, -1.2], [0.4, -0.4], [1.2, -0.4]],
  'x-thin': [[1.4, 1.4], [-1.4, -1.4], [0, 0], [1.4, -1.4], [-1.4, 1.4], [0, 0]],
  'triangle-up': [[-1.155, 0.5], [1.155, 0.5], [0, -1]],
  'triangle-down': [[-1.155, -0.5], [1.155, -0.5], [0, 1]],
  pentagon: [[0.951, -0.309], [0.588, 0.809], [-0.588, 0.809], [-0.951, -0.309], [0, -1]],
  hexagon2: [[-0.5, 0.866], [0.5, 0.866], [1, 0], [0.5, -0.866], [-0.5, -0.866], [-1, 0]],
  star: [[0.315, -0.433], [1.331, -0.433], [0.508, 0.165], [0.823, 1.133], [0, 0.535], [-0.823, 1.133], [-0.508, 0.165],
    [-1.331, -0.433], [-0.315, -0.433], [0, -1.4]],
};

const DASHES = { dot: [1, 1], dash: [3, 3], longdash: [5, 5], dashdot: [3, 1, 1, 1], longdashdot: [5, 2, 1, 2] };

const anew = (parent, name, attributes = {}) => {
  const made = parent.appendChild(document.createElementNS(SVG, name));
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
};

/** Words as they are read: Plotly takes them as HTML. */
const plain = html => new DOMParser().parseFromString(html, 'text/html').body.textContent;

/** Letters about a place: where they begin, end or have their middle across, and where their middle is upwards. */
const write = (svg, html, x, y, size, fill, anchor = 'start', rest = {}) => {
  const text = anew(svg, 'text', { x, y: y + 0.35 * size, 'font-size': size, fill, 'text-anchor': anchor, ...rest });
  text.textContent = plain(html);
  return text;
};

const symbol = ({ symbol: name, size }) => {
  const half = size / 2, corners = CORNERS[name.replace('-open', '')];
  const around = `a${half} ${half} 0 1 0 ${size} 0a${half} ${half} 0 1 0 ${-size} 0z`;
  const over = corners?.map(([x, y], at) => [x - (at ? corners[at - 1][0] : 0), y - (at ? corners[at - 1][1] : 0)]);
  const drawn = corners ? over.map(([x, y], at) => `${at ? 'l' : 'm'}${x * half} ${y * half}`).join('') + 'z' : `m${-half} 0${around}`;
  return (x, y) => `M${x.toFixed(1)} ${y.toFixed(1)}${drawn}`;
};

const marked = (svg, marker, places) => {
  const draw = symbol(marker), isHollow = /-open|-thin/.test(marker.symbol), { width = 0, color = marker.color } = marker.line || {};
  const style = { fill: isHollow ? 'none' : marker.color, stroke: isHollow ? marker.color : color, 'stroke-width': width };
  return anew(svg, 'path', { d: places.map(([x, y]) => draw(x, y)).join(''), ...style });
};

/** A line through places; down first and then across where its shape is steps. */
const lined = (svg, { shape, dash = 'solid', color, width }, places) => {
  const step = ([x, y], at) => `${!at ? `M${x} ` : shape === 'vh' ? `V${y}H${x}` : `L${x} `}${!at || shape !== 'vh' ? y : ''}`;
  const dashes = DASHES[dash]?.map(part => part * Math.max(width, 3)).join(' ') ?? dash.replaceAll('px', '').replace('solid', '');
  return anew(svg, 'path', { d: places.map(step).join(''), fill: 'none', stroke: color, 'stroke-width': width, 'stroke-dasharray': dashes });
};

const barred = (svg, { x, y, error_x: over, error_y: up }, across, upwards) => {
  const drawn = x.map((value, at) => `M${across(value - over.arrayminus[at])} ${upwards(y[at])}H${across(value + over.array[at])}`
    + `M${across(value)} ${upwards(y[at] - up.arrayminus[at])}V${upwards(y[at] + up.array[at])}`);
  anew(svg, 'path', { d: drawn.join(''), fill: 'none', stroke: over.color, 'stroke-width': over.thickness });
};

/** Where Plotly has its ticks: as many as have room, with the words of each. */
const ticks = ([low, high], length, room) => {
  const rough = (high - low) / (Math.min(9, Math.max(4, length / room)) + 1), base = 10 ** Math.floor(Math.log10(rough));
  const step = base * [2, 5, 10].find(times => rough <= base * times * (1 + 1e-9)), decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-9) - first + 1;
  const words = value => String(Number(value.toFixed(decimals))).replace('-', '\u2212');
  return Array.from({ length: Math.max(0, count) }, (_, at) => [(first + at) * step, words((first + at) * step)]);
};

/** The legend's lines, each of entries with their place; what is drawn in gives way to them. */
const entered = (data, width, wide) => {
  const lines = [];
  let x = Infinity;
  const rank = ({ legendrank = 1000 }) => legendrank, isListed = ({ showlegend, mode }) => showlegend !== false && mode !== 'none';
  for (const trace of data.filter(isListed).sort((one, other) => rank(one) - rank(other))) {
    const room = 45 + wide(trace.name);
    if (x + room > width) {
      lines.push([]);
      x = 0;
    }
    lines.at(-1).push([x, trace]);
    x += room;
  }
  return lines;
};

/** By how much the words of the last tick across stand out to the right. */
const overhang = ([low, high], length, wide) => {
  const [value, words] = ticks([low, high], length, 80).at(-1);
  return wide(words) / 2 - length * (high - value) / (high - low);
};

/** An empty picture of this width: where it is drawn in, by its edges, and where values stand in it. */
const framed = (layer, { data, layout }, width) => {
  const { height, xaxis, yaxis, margin, template: { layout: look } } = layout, ink = look.font.color;
  const svg = anew(layer, 'svg', { width, height, 'font-family': look.font.family, 'aria-hidden': true });
  const wide = (html, size = 12) => {
    const text = write(svg, html, 0, 0, size, ink), { width: taken } = text.getBBox();
    text.remove();
    return taken;
  };
  const low = height - BOTTOM, beside = ticks(yaxis.range, low - margin.t, 40).map(([, words]) => wide(words));
  const left = Math.max(margin.l, Math.ceil(LEFT + Math.max(...beside)));
  const right = width - RIGHT - Math.max(0, overhang(xaxis.range, width - left - RIGHT, wide));
  const lines = entered(data, right - left, wide), top = Math.max(margin.t, LINE * lines.length + 12);
  const across = value => left + (right - left) * (value - xaxis.range[0]) / (xaxis.range[1] - xaxis.range[0]);
  const upwards = value => low - (low - top) * (value - yaxis.range[0]) / (yaxis.range[1] - yaxis.range[0]);
  return { svg, ink, grid: look.yaxis.gridcolor, wide, lines, left, top, right, low, across, upwards };
};

const drawAxes = ({ svg, ink, grid, left, top, right, low, across, upwards }, { height, xaxis, yaxis }) => {
  const line = (d, stroke) => anew(svg, 'path', { d, stroke, fill: 'none' });
  for (const [value, words] of ticks(yaxis.range, low - top, 40)) {
    line(`M${left} ${upwards(value)}H${right}`, grid);
    line(`M${left - PAD - 1} ${upwards(value)}h${-TICK}`, ink);
    write(svg, words, left - PAD - TICK - 3.4, upwards(value), 12, ink, 'end');
  }
  for (const [value, words] of ticks(xaxis.range, right - left, 80)) {
    line(`M${across(value)} ${low + PAD + 1}v${TICK}`, ink);
    write(svg, words, across(value), low + PAD + 15.2, 12, ink, 'middle');
  }
  line(`M${left - PAD - 1} ${low + PAD + 0.5}H${right}M${left - PAD - 0.5} ${top}V${low + PAD}`, xaxis.linecolor);
  const aside = 20.4, middle = (top + low) / 2;
  write(svg, xaxis.title.text, (left + right) / 2, height - 20.5, 14, ink, 'middle');
  write(svg, yaxis.title.text, aside, middle, 14, ink, 'middle', { transform: `rotate(-90 ${aside} ${middle})` });
};

/** Draw lines, bars and markers. Gives the points that answer, as [x, y, key, words, reach], and the ring with its marker. */
const drawTraces = ({ svg: whole, left, top, right, low, across, upwards }, data) => {
  const found = { answering: [] }, edges = { x: left, y: top, width: right - left, height: low - top };
  const svg = anew(whole, 'svg', { ...edges, viewBox: Object.values(edges).join(' ') }); // What lies outside is cut off.
  for (const trace of data) {
    const { mode, marker, line, textfont, text, customdata, selectedpoints } = trace;
    const places = trace.x.map((x, at) => [across(x), upwards(trace.y[at])]);
    const reach = trace.type === 'scattergl' ? REACH : REACH + marker?.size / 2; // As Plotly has it.
    if (trace.hovertemplate) found.answering.push(...places.map((place, at) => [...place, customdata[at], text[at], reach]));
    if (mode === 'none') barred(svg, trace, across, upwards);
    if (mode.includes('lines')) lined(svg, line, places);
    if (selectedpoints) Object.assign(found, { marker, ring: marked(svg, marker, selectedpoints.filter(at => places[at]).map(at => places[at])) });
    else if (mode.includes('markers')) marked(svg, marker, places);
    const written = mode.includes('text') ? places : [];
    written.forEach(([x, y], at) => write(svg, text[at], x + 13.7, y - 21.6, 14, textfont.color, 'start', { 'font-weight': 700 }));
  }
  return found;
};

const drawLabels = ({ svg, wide, left, right, across, upwards }, { shapes, annotations }) => {
  for (const { y0, line } of shapes) lined(svg, line, [[left, upwards(y0)], [right, upwards(y0)]]);
  for (const { text, x, y, xref, xanchor, yanchor, xshift = 0, yshift = 0, font: { size, color }, bgcolor } of annotations) {
    const width = wide(text, size) + 4, height = size + 6, at = xref === 'paper' ? left + (right - left) * x : across(x);
    const from = at + xshift - { left: 0, center: width / 2, right: width }[xanchor];
    const over = upwards(y) - yshift - { top: 0, middle: height / 2, bottom: height }[yanchor];
    if (bgcolor) anew(svg, 'rect', { x: from, y: over, width, height, fill: bgcolor });
    write(svg, text, from + 2, over + height / 2, size, color);
  }
};

const drawLegend = ({ svg, ink, lines, left, top }) => lines.forEach((entries, at) => entries.forEach(([x, { name, mode, line, marker }]) => {
  const from = left + x, middle = top - 14.5 - LINE * (lines.length - 1 - at);
  if (mode.includes('lines')) lined(svg, { ...line, shape: '' }, [[from + 5, middle], [from + 35, middle]]);
  if (mode.includes('markers')) marked(svg, marker, [[from + 20, middle]]);
  write(svg, name, from + 40, middle + 0.7, 12, ink);
}));

/** All that a figure shows, in a picture of this width: the picture, the points that answer, and the ring with its marker. */
const drawn = (layer, figure, width) => {
  const frame = framed(layer, figure, width);
  drawAxes(frame, figure.layout);
  const found = drawTraces(frame, figure.data);
  drawLabels(frame, figure.layout);
  drawLegend(frame);
  return { svg: frame.svg, ...found };
};

/** The nearest of the points that answer, if it is within reach. */
const nearest = (answering, event, layer) => {
  const { left, top } = layer.getBoundingClientRect(), x = event.clientX - left, y = event.clientY - top;
  let best, least = 0;
  for (const point of answering) {
    const beyond = Math.hypot(point[0] - x, point[1] - y) - point[4];
    if (beyond <= least) [best, least] = [point, beyond];
  }
  return best;
};

/** The box for what points say, as Plotly's looks. */
const sayer = ({ bgcolor, bordercolor, font: { color, family } }) => {
  const box = Object.assign(document.createElement('div'), { className: 'hma-hover', hidden: true });
  Object.assign(box.style, { position: 'absolute', pointerEvents: 'none', whiteSpace: 'nowrap', padding: '3px 6px', lineHeight: 1.3 });
  Object.assign(box.style, { color, background: bgcolor, border: `1px solid ${bordercolor}`, fontFamily: family, fontSize: '13px' });
  return box;
};

/** Have a point say its lines, the first in bold, beside it where there is room. */
const say = (box, [x, y, , html], width) => {
  const line = (words, at) => Object.assign(document.createElement(at ? 'div' : 'b'), { textContent: plain(words) });
  box.replaceChildren(...html.split('<br>').map(line));
  box.style.left = `${x + 12 + box.offsetWidth < width ? x + 12 : Math.max(0, x - 12 - box.offsetWidth)}px`;
  box.style.top = `${Math.max(0, y - box.offsetHeight / 2)}px`;
};

/**
 * Draw a figure over all of `frame`. A clicked point has the ring at once, and `pick` is given its key.
 *
 * Gives the layer that it is drawn in, to be removed when Plotly has drawn the same.
 */
const glimpse = (frame, figure, pick) => {
  const layer = frame.appendChild(Object.assign(document.createElement('div'), { className: 'hma-glimpse' }));
  const box = sayer(figure.layout.template.layout.hoverlabel);
  layer.style.cssText = 'position: absolute; inset: 0; overflow: hidden; user-select: none';
  let now, ringed, pressed;
  const circle = key => {
    const places = now.answering.filter(point => point[2] === key);
    now.ring?.setAttribute('d', places.map(([x, y]) => symbol(now.marker)(x, y)).join(''));
  };
  const draw = () => {
    if (!layer.clientWidth) return;
    now?.svg.remove();
    now = drawn(layer, figure, layer.clientWidth);
    layer.append(box);
    if (ringed) circle(ringed);
  };
  const meant = event => now && nearest(now.answering, event, layer);
  layer.onpointermove = event => {
    const point = meant(event);
    layer.style.cursor = point && pick ? 'pointer' : '';
    box.hidden = !point;
    if (point) say(box, point, layer.clientWidth);
  };
  layer.onpointerleave = () => { box.hidden = true; };
  layer.onpointerdown = ({ clientX, clientY }) => { pressed = [clientX, clientY]; };
  layer.onclick = event => {
    const isDrag = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > STEADY;
    const key = !isDrag && pick && meant(event)?.[2];
    if (!key) return;
    ringed = key;
    circle(key);
    pick(key);
  };
  const resized = new ResizeObserver(() => layer.isConnected ? draw() : resized.disconnect());
  resized.observe(layer);
  const lettered = () => layer.isConnected ? draw() : document.fonts.removeEventListener('loadingdone', lettered);
  document.fonts.addEventListener('loadingdone', lettered); // Its words are of another width then.
  return layer;
};
