// What the pages add to htmx: curves, times that stay true, revealed values that leave, and copies.
"use strict";
(() => {
  const units = [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]];

  // As `formatting.duration`.
  function duration(seconds) {
    if (seconds < 1) return Math.round(seconds * 1000) + " ms";
    for (const [unit, length, smaller, part] of units) {
      if (seconds >= length) {
        const whole = Math.floor(seconds / length), few = Math.floor((seconds % length) / part);
        return few && whole < 10 ? `${whole} ${unit} ${few} ${smaller}` : `${whole} ${unit}`;
      }
    }
    return seconds < 10 ? seconds.toFixed(1) + " s" : Math.round(seconds) + " s";
  }

  function refreshTimes() {
    for (const time of document.querySelectorAll("time[datetime]:not([data-absolute])")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (Number.isNaN(seconds)) continue;
      time.textContent = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? duration(seconds) + " ago" : "in " + duration(-seconds);
    }
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  // <figure class="chart" data-chart='{"series": [{"label", "tone"}], "data": [[seconds], [values], ...]}'>
  function draw(element) {
    if (element.dataset.isDrawn || !window.uPlot) return;
    element.dataset.isDrawn = "1";
    const chart = JSON.parse(element.dataset.chart);
    const times = chart.data[0], isLong = times.at(-1) - times[0] > 2 * 86400;
    const moment = (at) => at == null ? "–" : new Date(at * 1000).toISOString().slice(...(isLong ? [5, 10] : [11, 16]));
    const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
    const options = {
      width: element.clientWidth, height: Number(element.dataset.height || 180),
      tzDate: (at) => window.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [{ ...axis, values: (_plot, ticks) => ticks.map(moment) }, { ...axis, size: 56 }],
      series: [{ label: "UTC", value: (_plot, at) => moment(at) }, ...chart.series.map((one) => ({
        label: one.label, stroke: colour(one.tone), width: 2, fill: colour(one.tone) + "22", points: { show: false },
      }))],
    };
    const plot = new window.uPlot(options, chart.data, element);
    new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: options.height })).observe(element);
  }

  // A revealed value leaves the page after so many seconds, and when nobody looks at it.
  function forget(element) {
    const said = document.createElement("p");
    said.className = "notice info";
    said.textContent = "The value has left this page. Reveal it again if you need it.";
    element.replaceWith(said);
  }

  function forgetAll() {
    for (const element of document.querySelectorAll("[data-vanishes]")) forget(element);
  }

  function watchOver(element) {
    if (element.dataset.isWatched) return;
    element.dataset.isWatched = "1";
    setTimeout(() => { if (element.isConnected) forget(element); }, Number(element.dataset.vanishes) * 1000);
  }

  // <button hidden data-copies="id of the text">: shown where the browser can copy.
  function offerCopy(button) {
    if (!navigator.clipboard || !button.hidden) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = "Copied";
    });
  }

  function prepare(root) {
    for (const element of root.querySelectorAll("[data-chart]")) draw(element);
    for (const element of root.querySelectorAll("[data-vanishes]")) watchOver(element);
    for (const button of root.querySelectorAll("[data-copies]")) offerCopy(button);
  }

  // The live view: what the stream says, a pause that lets nothing move, and only so many rows.
  const live = document.getElementById("live-rows");
  if (live) {
    const said = document.getElementById("live-said"), pause = document.getElementById("live-pause");
    let isPaused = false, meanwhile = 0, last = said.textContent;
    const say = (text) => {
      last = text;
      said.textContent = isPaused ? `Paused; ${meanwhile.toLocaleString("en")} shown decisions came meanwhile.` : text;
    };
    pause.addEventListener("click", () => {
      isPaused = !isPaused;
      meanwhile = 0;
      pause.textContent = isPaused ? "Continue" : "Pause";
      pause.setAttribute("aria-pressed", String(isPaused));
      live.closest("section").classList.toggle("paused", isPaused);
      say(last);
    });
    live.addEventListener("said", (event) => say(event.detail.data));
    live.addEventListener("htmx:sse:before:message", (event) => {
      if (!isPaused || event.detail.message.event) return;
      event.preventDefault();
      meanwhile += 1;
      say(last);
    });
    live.addEventListener("htmx:sse:after:message", () => {
      while (live.children.length > Number(live.dataset.keep)) live.lastElementChild.remove();
    });
    live.addEventListener("htmx:sse:error", () => say("The console does not answer; trying again."));
    // A session that has ended is answered with an address and no stream.
    live.addEventListener("htmx:sse:after:connection", (event) => {
      if (event.detail.connection.status === 204) location.reload();
    });
  }

  // A disclosure closes when another opens, so that forms do not pile up.
  document.addEventListener("toggle", (event) => {
    const opened = event.target;
    if (!(opened instanceof HTMLDetailsElement) || !opened.open || !opened.classList.contains("action")) return;
    for (const other of document.querySelectorAll("details.action[open]")) if (other !== opened) other.open = false;
  }, true);
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.account[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) forgetAll(); });
  addEventListener("pagehide", forgetAll);
  document.addEventListener("htmx:after:swap", () => { prepare(document); refreshTimes(); });
  // A part that refreshes itself rests while nobody looks, while something in it is folded out, and, unless it is merged
  // into the page (data-refresh="morph"), while something in it has the focus. It says when it can no longer do so.
  const refreshing = (event) => {
    const asking = event.detail?.ctx?.sourceElement;
    return asking instanceof Element && asking.matches("[data-refresh]") ? asking : null;
  };
  document.addEventListener("htmx:before:request", (event) => {
    const part = refreshing(event);
    if (!part) return;
    const inUse = part.dataset.refresh === "morph" ? "details[open]" : "details.action[open], :focus-visible";
    if (document.hidden || part.querySelector(inUse)) event.preventDefault();
  });
  document.addEventListener("htmx:after:request", (event) => {
    if (!refreshing(event) || event.detail.ctx.response.status >= 400) return;
    for (const notice of document.querySelectorAll("#notices .bad")) notice.remove();
  });
  document.addEventListener("htmx:error", (event) => {
    if (!refreshing(event)) return;
    const notice = document.createElement("p");
    notice.className = "notice bad";
    notice.textContent = "The console does not answer. What you see is from before; the page goes on trying.";
    document.getElementById("notices").replaceChildren(notice);
  });
  setInterval(refreshTimes, 5000);
  prepare(document);
})();
