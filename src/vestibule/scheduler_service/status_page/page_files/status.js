"use strict";
(() => {
  const every = Number(document.body.dataset.refreshS) * 1000;
  let answeredAt = new Date();

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(every) });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const shown = document.getElementById("status");
      const next = page.getElementById("status");
      if (!next) throw new Error("no status");
      shown.replaceChildren(...next.childNodes);
      document.title = page.title;
      document.querySelector("link[rel=icon]").href = page.querySelector("link[rel=icon]").href;
      document.body.classList.remove("is-lost");
      answeredAt = new Date();
    } catch {
      const lost = document.getElementById("lost");
      lost.textContent = `No answer from the scheduler. This page shows the status at ${answeredAt.toLocaleTimeString()}.`;
      lost.hidden = false;
      document.body.classList.add("is-lost");
      document.title = "No answer · Vestibule";
    }
  }

  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
})();
