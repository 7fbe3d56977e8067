"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const element = (id) => document.getElementById(id);
  const root = document.documentElement;
  const MINUS = "\u2212";
  const MARKS_MAX = 1500;
  const ROW_PX = 28;
  const DAY_MS = 86400000;

  // Storage may be forbidden, in a notebook's frame for example; the theme then lasts as long as the page
  const stored = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("njord-theme");
      localStorage.setItem("njord-theme", value);
    } catch { /* forbidden */ }
    return null;
  };
  const number = (value, decimals = 2) => value === null || value === undefined ? "\u2013"
    : value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", MINUS);
  const short = (value) => value === null ? "\u2013" : value.toLocaleString("en-US", { maximumSignificantDigits: 8 }).replace("-", MINUS);
  const signed = (value) => (value > 0 ? "+" : "") + number(value);
  const moment = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  // First place in a rising array whose value is >= wanted
  const place = (array, wanted) => {
    let low = 0, high = array.length;
    while (low < high) { const middle = (low + high) >> 1; if (array[middle] < wanted) low = middle + 1; else high = middle; }
    return low;
  };

  const chart = element("chart");
  let shown = 0;
  let span = null;
  let logarithmic = false;

  const whole = () => {
    const times = [data.equity.t, ...data.prices.map((one) => one.t)].filter((one) => one.length);
    if (!times.length) return [0, 1];
    return [Math.min(...times.map((one) => one[0])), Math.max(...times.map((one) => one[one.length - 1]))];
  };

  // What is not above zero has no logarithm; such an axis stays as it is
  const positive = (arrays) => arrays.every((array) => array.every((value) => value === null || value > 0));

  const extent = (arrays, first, last, pad) => {
    let low = Infinity, high = -Infinity;
    for (const array of arrays) for (let i = first; i < last; i++) {
      const value = array[i];
      if (value === null) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) return null;
    if (logarithmic && pad && positive(arrays)) { low = Math.log10(low); high = Math.log10(high); }
    const room = (high - low || Math.abs(high) * 0.01 || 1) * pad;
    return [low - room, high + room];
  };

  // Fills in view of the instrument shown; too many are thinned evenly, and the note says so
  const marks = (from, to) => {
    const fills = data.fills;
    const price = data.prices[shown];
    const wanted = price ? data.instruments.indexOf(price.instrument) : -1;
    const found = [];
    for (let i = place(fills.t, from); i < fills.t.length && fills.t[i] <= to; i++) if (fills.i[i] === wanted) found.push(i);
    const step = Math.max(1, Math.ceil(found.length / MARKS_MAX));
    return { kept: found.filter((_, at) => at % step === 0), count: found.length };
  };

  const markTrace = (side, kept) => {
    const fills = data.fills;
    const rows = kept.filter((i) => fills.s[i] === side);
    const name = side > 0 ? "Buy" : "Sell";
    return {
      type: "scatter", mode: "markers", name, xaxis: "x", yaxis: "y3",
      x: rows.map((i) => fills.t[i]), y: rows.map((i) => fills.p[i]),
      text: rows.map((i) => {
        const [reason, liquidity, strategy] = fills.words[fills.w[i]];
        return `<b>${name}</b> ${short(fills.q[i])} @ ${short(fills.p[i])}  fee ${number(fills.f[i], 4)}<br>` +
          `${moment(fills.t[i])}  ${escaped(reason.replaceAll("_", " "))}, ${escaped(liquidity)}  ${escaped(strategy)}`;
      }),
      hovertemplate: "%{text}<extra></extra>",
      marker: {
        symbol: side > 0 ? "triangle-up" : "triangle-down", size: kept.length < 150 ? 10 : kept.length < 500 ? 7 : 5, color: colour(side > 0 ? "up" : "down"),
        line: { width: kept.length < 500 ? 1 : 0.5, color: colour("panel") },
      },
    };
  };

  const traces = (from, to) => {
    const equity = data.equity;
    const list = [{
      type: "scatter", mode: "lines", name: "Equity", x: equity.t, y: equity.v, xaxis: "x", yaxis: "y",
      line: { color: colour("accent"), width: 1.6 }, hovertemplate: "Equity %{y:,.2f}<extra></extra>",
    }];
    if (equity.b) list.push({
      type: "scatter", mode: "lines", name: "Buy and hold", x: equity.t, y: equity.b, xaxis: "x", yaxis: "y",
      line: { color: colour("faint"), width: 1.1, dash: "dot" }, hovertemplate: "Buy and hold %{y:,.2f}<extra></extra>",
    });
    list.push({
      type: "scatter", mode: "lines", name: "Drawdown", x: equity.t, y: equity.d, xaxis: "x", yaxis: "y2", fill: "tozeroy",
      showlegend: false, line: { color: colour("down"), width: 1 },
      fillcolor: `rgba(${colour("down-rgb").split(" ").join(",")},.2)`, hovertemplate: "Drawdown %{y:.2%}<extra></extra>",
    });
    const price = data.prices[shown];
    // Seven significant digits of the last price, and as many decimals for all
    const size = price ? Math.abs(price.c[price.c.length - 1] || 1) : 1;
    const digits = `,.${Math.max(0, Math.min(8, 6 - Math.floor(Math.log10(size))))}~f`;
    if (price) list.push({
      type: "candlestick", name: price.instrument, x: price.t, open: price.o, high: price.h, low: price.l, close: price.c,
      xaxis: "x", yaxis: "y3", showlegend: false, whiskerwidth: 0,
      hovertemplate: `O %{open:${digits}}  H %{high:${digits}}  L %{low:${digits}}  C %{close:${digits}}<extra></extra>`,
      increasing: { line: { color: colour("up"), width: 1 }, fillcolor: colour("up") },
      decreasing: { line: { color: colour("down"), width: 1 }, fillcolor: colour("down") },
    });
    const { kept } = marks(from, to);
    if (price) list.push(markTrace(1, kept), markTrace(-1, kept));
    return list;
  };

  const ranges = (from, to) => {
    const equity = data.equity;
    // One more on either side, so that a line that crosses the edge is not cut off
    const first = Math.max(0, place(equity.t, from) - 1), last = Math.min(equity.t.length, place(equity.t, to) + 1);
    const money = extent(equity.b ? [equity.v, equity.b] : [equity.v], first, last, 0.06);
    const fall = extent([equity.d], first, last, 0);
    const price = data.prices[shown];
    const candles = price
      ? extent([price.h, price.l], Math.max(0, place(price.t, from) - 1), Math.min(price.t.length, place(price.t, to) + 1), 0.06) : null;
    return { money, fall: fall ? [Math.min(fall[0] * 1.12, -0.0001), 0] : null, candles };
  };

  const layout = (from, to) => {
    const fitted = ranges(from, to);
    const scale = (arrays) => logarithmic && positive(arrays) ? "log" : "linear";
    const priced = data.prices.length > 0;
    const narrow = chart.clientWidth < 560;
    const axis = (more) => ({
      gridcolor: colour("grid"), zerolinecolor: colour("grid"), linecolor: colour("line"), tickfont: { size: 11, color: colour("dim") },
      side: "right", fixedrange: true, automargin: true, ...more,
    });
    const label = (text, y) => ({
      text, xref: "paper", yref: "paper", x: 0, y, xanchor: "left", yanchor: "bottom", showarrow: false,
      font: { size: 11, color: colour("dim") }, borderpad: 2,
    });
    // Above each part there is room for its name
    const parts = priced ? [[0.585, 0.965], [0.43, 0.545], [0, 0.39]] : [[0.33, 0.965], [0, 0.29], null];
    const title = priced ? data.prices[shown].instrument : "";
    return {
      paper_bgcolor: colour("panel"), plot_bgcolor: colour("panel"),
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("text") },
      margin: { l: 10, r: narrow ? 4 : 10, t: 6, b: 36 }, showlegend: false, dragmode: narrow ? "pan" : "zoom",
      hovermode: "x unified", hoversubplots: "axis", hoverdistance: 30,
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("strong"), font: { size: 12, color: colour("text") }, namelength: -1 },
      xaxis: {
        type: "date", range: [from, to], gridcolor: colour("grid"), linecolor: colour("line"), tickfont: { size: 11, color: colour("dim") },
        anchor: priced ? "y3" : "y2", rangeslider: { visible: false }, hoverformat: "%a %Y-%m-%d %H:%M", showspikes: true,
        spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: colour("faint"), spikesnap: "cursor",
      },
      yaxis: axis({ domain: parts[0], type: scale(data.equity.b ? [data.equity.v, data.equity.b] : [data.equity.v]), exponentformat: "B", nticks: 7, ...(fitted.money ? { range: fitted.money } : {}) }),
      yaxis2: axis({ domain: parts[1], tickformat: ".2~%", nticks: 4, ...(fitted.fall ? { range: fitted.fall } : {}) }),
      ...(priced ? { yaxis3: axis({ domain: parts[2], type: scale([data.prices[shown].h, data.prices[shown].l]), nticks: 6, ...(fitted.candles ? { range: fitted.candles } : {}) }) } : {}),
      annotations: [
        label(data.equity.b
          ? `<span style="color:${colour("accent")}">━</span> Equity, ${escaped(data.currency)}   <span style="color:${colour("faint")}">┅</span> Buy and hold`
          : `<span style="color:${colour("accent")}">━</span> Equity, ${escaped(data.currency)}`, parts[0][1]),
        label("Drawdown", parts[1][1]),
        ...(priced ? [label(`${escaped(title)}   <span style="color:${colour("up")}">▲</span> buy  <span style="color:${colour("down")}">▼</span> sell`, parts[2][1])] : []),
      ],
      shapes: data.equity.v.length ? [{
        type: "line", xref: "paper", x0: 0, x1: 1, yref: "y", y0: data.equity.v[0], y1: data.equity.v[0], layer: "below",
        line: { color: colour("strong"), width: 1, dash: "dash" },
      }] : [],
    };
  };

  const caption = (from, to) => {
    const said = [];
    const { samples, t } = data.equity;
    if (t.length < samples) said.push(`Equity: ${t.length.toLocaleString("en-US")} of ${samples.toLocaleString("en-US")} samples, the lowest, highest, deepest and last of each stretch`);
    const price = data.prices[shown];
    if (price && price.merged) said.push(`Candles: ${price.t.length.toLocaleString("en-US")}, merged from ${price.bars.toLocaleString("en-US")} bars`);
    const { kept, count } = marks(from, to);
    if (count > kept.length) said.push(`Fills: ${kept.length.toLocaleString("en-US")} of ${count.toLocaleString("en-US")} in view, zoom in to see each`);
    else if (price) said.push(`${count.toLocaleString("en-US")} fills in view`);
    said.push("dashed line: starting equity", "drag to zoom, double-click for all");
    element("chart-note").textContent = said.join(" · ");
  };

  const draw = () => {
    if (!chart) return;
    const [from, to] = span || whole();
    caption(from, to);
    Plotly.react(chart, traces(from, to), layout(from, to), { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false });
    for (const button of document.querySelectorAll("#ranges button")) {
      button.setAttribute("aria-pressed", String(button.dataset.days === (span ? String(Math.round((to - from) / DAY_MS)) : "all")));
    }
  };

  const zoom = (next) => { span = next; draw(); };

  const prepareChart = () => {
    if (!chart) return;
    draw();
    chart.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0], to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (from === undefined || to === undefined) return;
      const ms = (value) => typeof value === "number" ? value : Date.parse(String(value).replace(" ", "T") + (String(value).includes(":") ? "Z" : "T00:00Z"));
      const next = [ms(from), ms(to)];
      if (span && Math.abs(span[0] - next[0]) < 1 && Math.abs(span[1] - next[1]) < 1) return;
      zoom(next);
    });
    chart.on("plotly_doubleclick", () => zoom(null));
    const [first, last] = whole();
    const days = (last - first) / DAY_MS;
    for (const [name, size] of [["1D", 1], ["1W", 7], ["1M", 30], ["3M", 91], ["1Y", 365], ["All", null]]) {
      if (size !== null && (size >= days || size < days / 400)) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset.days = size === null ? "all" : String(size);
      button.addEventListener("click", () => zoom(size === null ? null : [last - size * DAY_MS, last]));
      element("ranges").append(button);
    }
    element("log").addEventListener("click", () => {
      logarithmic = !logarithmic;
      element("log").setAttribute("aria-pressed", String(logarithmic));
      draw();
    });
    const select = element("instrument");
    if (data.prices.length > 1) {
      select.hidden = false;
      data.prices.forEach((one, at) => select.add(new Option(one.instrument, String(at))));
      select.addEventListener("change", () => { shown = Number(select.value); draw(); });
    }
    draw();
  };

  const drawHistogram = () => {
    const target = element("histogram");
    if (!target) return;
    const found = data.histogram;
    if (!found) { target.className = "empty"; target.textContent = "Too few returns to show how they are spread."; return; }
    const middle = found.counts.map((_, i) => (found.edges[i] + found.edges[i + 1]) / 2);
    element("histogram-note").textContent = `${found.daily ? "daily" : "per sample"}, mean ${(found.mean * 100).toPrecision(2).replace("-", MINUS)} %`;
    Plotly.react(target, [{
      type: "bar", x: middle, y: found.counts, width: found.edges[1] - found.edges[0],
      marker: { color: middle.map((x) => colour(x >= 0 ? "up" : "down")), line: { width: 1, color: colour("panel") } },
      customdata: found.counts.map((_, i) => [found.edges[i], found.edges[i + 1]]),
      hovertemplate: "%{customdata[0]:.2%} to %{customdata[1]:.2%}: %{y:,}<extra></extra>",
    }], {
      paper_bgcolor: colour("panel"), plot_bgcolor: colour("panel"), margin: { l: 12, r: 12, t: 10, b: 28 }, bargap: 0, showlegend: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: colour("dim") },
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("strong"), font: { size: 12, color: colour("text") } },
      xaxis: { tickformat: ".1~%", gridcolor: colour("grid"), zerolinecolor: colour("strong"), fixedrange: true, nticks: 9 },
      yaxis: { gridcolor: colour("grid"), fixedrange: true, side: "right", automargin: true, nticks: 5 },
      shapes: [{ type: "line", yref: "paper", y0: 0, y1: 1, x0: found.mean, x1: found.mean, line: { color: colour("text"), width: 1, dash: "dot" } }],
    }, { displayModeBar: false, responsive: true });
  };

  const small = (more) => ({
    paper_bgcolor: colour("panel"), plot_bgcolor: colour("panel"), margin: { l: 12, r: 12, t: 10, b: 28 }, showlegend: false,
    font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: colour("dim") }, hovermode: "x unified",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("strong"), font: { size: 12, color: colour("text") } }, ...more,
  });
  const upright = (more) => ({ gridcolor: colour("grid"), zerolinecolor: colour("strong"), fixedrange: true, side: "right", automargin: true, nticks: 5, ...more });

  // Horizons are spread evenly: from a tenth of a second to minutes a true scale would show the last only
  const drawMarkouts = () => {
    const target = element("markout-curve");
    if (!target) return;
    const curves = data.making.curves;
    const label = (x) => x === 0 ? "at once" : `${x} s`;
    const dashes = ["solid", "dot", "dash", "dashdot"];
    const instruments = [...new Set(curves.map((one) => one.name.slice(0, one.name.lastIndexOf(" "))))];
    Plotly.react(target, curves.map((one) => {
      const tint = colour(one.side === "buy" ? "up" : "down");
      const whose = instruments.indexOf(one.name.slice(0, one.name.lastIndexOf(" ")));
      return {
        type: "scatter", mode: "lines+markers", name: one.side === "buy" ? "Bought" : "Sold", x: one.x.map(label), y: one.y,
        error_y: { type: "data", array: one.e.map((e) => e ?? 0), visible: true, color: tint, thickness: 1, width: 4 },
        line: { color: tint, width: 1.6, dash: dashes[whose % dashes.length] }, marker: { size: 6, symbol: one.side === "buy" ? "triangle-up" : "triangle-down" },
        customdata: one.n, hovertemplate: `${escaped(one.name)} %{y:+.3f} bps, %{customdata:,} fills<extra></extra>`,
      };
    }), small({
      xaxis: { type: "category", gridcolor: colour("grid"), fixedrange: true }, yaxis: upright({ ticksuffix: " bps", zeroline: true }),
      annotations: [{
        text: `<span style="color:${colour("up")}">▲</span> bought  <span style="color:${colour("down")}">▼</span> sold` + (instruments.length > 1 ? "  one dash pattern an instrument" : ""),
        xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "top", showarrow: false, font: { size: 11, color: colour("dim") },
      }],
    }), { displayModeBar: false, responsive: true });
  };

  const drawInventory = () => {
    const target = element("inventory-path");
    if (!target) return;
    const paths = data.making.inventory;
    const tints = ["accent", "warn", "up", "down", "faint"];
    // Coins, contracts and shares have no scale in common: several are each drawn against their own largest
    const several = paths.length > 1;
    const largest = paths.map((one) => several ? Math.max(...one.v.map(Math.abs)) || 1 : 1);
    Plotly.react(target, paths.map((one, at) => ({
      type: "scatter", mode: "lines", name: escaped(one.instrument), x: one.t, y: one.v.map((v) => v / largest[at]), customdata: one.v, line: { shape: "hv", width: 1.2, color: colour(tints[at % tints.length]) },
      ...(!several ? { fill: "tozeroy", fillcolor: `color-mix(in srgb, ${colour("accent")} 14%, transparent)` } : {}),
      hovertemplate: `${several ? escaped(one.instrument) + " " : ""}%{customdata:,.8~g}<extra></extra>`,
    })), small({
      xaxis: { type: "date", range: whole(), gridcolor: colour("grid"), fixedrange: true, hoverformat: "%Y-%m-%d %H:%M:%S" }, yaxis: upright({ zeroline: true, tickformat: several ? ".0%" : "~g" }),
      annotations: several ? [{
        text: paths.map((one, at) => `<span style="color:${colour(tints[at % tints.length])}">━</span> ${escaped(one.instrument)}`).join("  "),
        xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 11, color: colour("dim") },
      }] : [],
      margin: { l: 12, r: 12, t: several ? 22 : 10, b: 28 },
    }), { displayModeBar: false, responsive: true });
  };

  const drawAll = () => { draw(); drawHistogram(); drawMarkouts(); drawInventory(); };

  const prepareTrades = () => {
    const grid = element("trades-grid");
    if (!grid) return;
    const all = data.trades;
    const count = all.pnl.length;
    const columns = [
      ["#", (i) => i], ["Instrument", (i) => data.instruments[all.instrument[i]]], ["Side", (i) => all.side[i]], ["Entry (UTC)", (i) => all.entry[i]],
      ["Exit (UTC)", (i) => all.exit[i]], ["Quantity", (i) => all.quantity[i]], ["Entry price", (i) => all.entry_price[i]],
      ["Exit price", (i) => all.exit_price[i]], [`Profit, ${data.currency}`, (i) => all.pnl[i]], ["Fees", (i) => all.fees[i]],
      ["Bars", (i) => all.bars[i] ?? -1],
    ];
    // One count of decimals per column, so that they line up
    const decimals = (values) => {
      let most = 0;
      for (const value of values) {
        const digits = String(Number(value.toPrecision(8))).split(".")[1];
        if (digits && !digits.includes("e")) most = Math.max(most, digits.length);
        if (most >= 8) return 8;
      }
      return most;
    };
    const places = { quantity: decimals(all.quantity), price: Math.max(decimals(all.entry_price), decimals(all.exit_price)) };
    let sorted = 0, falling = false, rows = [];
    const head = document.createElement("div"), body = document.createElement("div");
    head.className = "row head"; body.className = "body"; head.setAttribute("role", "row");
    const buttons = columns.map(([name], at) => {
      const button = document.createElement("button");
      button.type = "button";
      if (at === 1 || at === 2) button.className = "left";
      button.addEventListener("click", () => { falling = sorted === at ? !falling : at > 4; sorted = at; arrange(); });
      head.append(button);
      return button;
    });
    grid.append(head, body);

    const arrange = () => {
      const words = element("filter").value.trim().toLowerCase(), outcome = element("outcome").value;
      rows = [];
      for (let i = 0; i < count; i++) {
        if (outcome === "win" && !(all.pnl[i] > 0) || outcome === "loss" && !(all.pnl[i] < 0)) continue;
        if (outcome === "long" && all.side[i] < 0 || outcome === "short" && all.side[i] > 0) continue;
        if (words && !`${data.instruments[all.instrument[i]]} ${moment(all.entry[i])} ${moment(all.exit[i])}`.toLowerCase().includes(words)) continue;
        rows.push(i);
      }
      const key = columns[sorted][1], way = falling ? -1 : 1;
      rows.sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : a - b) * way; });
      buttons.forEach((button, at) => {
        button.textContent = columns[at][0] + (at === sorted ? (falling ? " ▾" : " ▴") : "");
        button.setAttribute("aria-pressed", String(at === sorted));
      });
      let profit = 0, fees = 0;
      for (const i of rows) { profit += all.pnl[i]; fees += all.fees[i]; }
      element("trades-note").textContent = `${rows.length.toLocaleString("en-US")} of ${count.toLocaleString("en-US")} trades · profit ${signed(profit)} ${data.currency} after fees of ${number(fees)} · click a trade to see it on the chart`;
      body.style.height = `${rows.length * ROW_PX}px`;
      grid.style.height = `${Math.min(452, (rows.length + 1) * ROW_PX + 14)}px`;
      grid.scrollTop = 0;
      paint();
    };

    const cell = (text, kind) => { const one = document.createElement("span"); one.textContent = text; if (kind) one.className = kind; one.setAttribute("role", "cell"); return one; };
    // Only the rows in view exist: 30,000 trades scroll like 30
    const paint = () => {
      const first = Math.max(0, Math.floor(grid.scrollTop / ROW_PX) - 4), last = Math.min(rows.length, first + Math.ceil(grid.clientHeight / ROW_PX) + 8);
      const made = document.createDocumentFragment();
      for (let at = first; at < last; at++) {
        const i = rows[at], row = document.createElement("div");
        row.className = "row"; row.style.top = `${at * ROW_PX}px`; row.setAttribute("role", "row"); row.dataset.trade = String(i);
        const gain = all.pnl[i];
        row.append(cell(String(i + 1), "faint"), cell(data.instruments[all.instrument[i]], "left"), cell(all.side[i] > 0 ? "long" : "short", "left faint"),
          cell(moment(all.entry[i]), "faint"), cell(moment(all.exit[i]), "faint"), cell(number(all.quantity[i], places.quantity)),
          cell(number(all.entry_price[i], places.price)), cell(number(all.exit_price[i], places.price)), cell(signed(gain), gain > 0 ? "up" : gain < 0 ? "down" : ""), cell(number(all.fees[i]), "faint"),
          cell(all.bars[i] === null ? "\u2013" : String(all.bars[i]), "faint"));
        made.append(row);
      }
      body.replaceChildren(made);
    };

    let waiting = false;
    grid.addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; paint(); }); } });
    body.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (!row || !chart) return;
      const i = Number(row.dataset.trade), held = Math.max(all.exit[i] - all.entry[i], 60000);
      const price = data.prices.findIndex((one) => one.instrument === data.instruments[all.instrument[i]]);
      if (price >= 0) { shown = price; element("instrument").value = String(price); }
      zoom([all.entry[i] - 2 * held, all.exit[i] + 2 * held]);
      chart.scrollIntoView({ block: "center" });
    });
    element("filter").addEventListener("input", arrange);
    element("outcome").addEventListener("change", arrange);
    new ResizeObserver(paint).observe(grid);
    arrange();
  };

  const wear = (theme) => {
    root.dataset.theme = theme;
    const button = element("theme");
    if (button) button.textContent = theme === "dark" ? "Light" : "Dark";
  };
  const chosen = stored();
  if (chosen === "light" || chosen === "dark") wear(chosen);
  element("theme")?.addEventListener("click", () => {
    wear(root.dataset.theme === "dark" ? "light" : "dark");
    stored(root.dataset.theme);
    drawAll();
  });
  let worn = null;
  addEventListener("beforeprint", () => { worn = root.dataset.theme; wear("light"); drawAll(); });
  addEventListener("afterprint", () => { if (worn) wear(worn); drawAll(); });
  prepareChart();
  drawHistogram();
  drawMarkouts();
  drawInventory();
  prepareTrades();
})();
