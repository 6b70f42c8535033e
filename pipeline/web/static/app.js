// Small conveniences. Every page works without them, except drawing and reviewing.
"use strict";

document.documentElement.classList.add("script");

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Parts of a page that take longer are fetched after it is shown.
for (const part of document.querySelectorAll("[data-load]")) {
  fetch(part.dataset.load, { headers: { Accept: "text/html" } })
    .then(async (answer) => {
      part.innerHTML = await answer.text();
      part.removeAttribute("aria-busy");
    })
    .catch(() => { part.textContent = "The server does not answer."; });
}
