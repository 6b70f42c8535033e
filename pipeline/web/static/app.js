// Small conveniences. Every page works without them, except drawing and reviewing.
"use strict";

document.documentElement.classList.add("script");

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Parts of a page that take longer are fetched after it is shown, and links in them stay in them.
async function load(part, address) {
  part.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    part.innerHTML = answer.ok ? await answer.text() : `<p class="bad">The server refused it (${answer.status}).</p>`;
  } catch {
    part.textContent = "The server does not answer.";
  }
  part.removeAttribute("aria-busy");
}

for (const part of document.querySelectorAll("[data-load]")) {
  part.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-part]");
    if (!link) return;
    event.preventDefault();
    load(part, link.href);
  });
  load(part, part.dataset.load);
}
