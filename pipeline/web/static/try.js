// Drawing on a canvas, and asking versions about the drawing or a file.
"use strict";

const canvas = document.getElementById("canvas");
const context = canvas.getContext("2d");
const answers = document.getElementById("answers");
const empty = answers.innerHTML;
const PEN = 18;
// Milliseconds after the last stroke until the versions are asked.
const PAUSE = 250;

let timer = 0;
let image = null; // the file that was given last, if it was not drawn
let asked = 0;

function clear() {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  image = null;
  canvas.classList.remove("file");
  asked += 1;
  clearTimeout(timer);
  answers.innerHTML = empty;
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * canvas.width) / box.width,
    ((event.clientY - box.top) * canvas.height) / box.height,
  ];
}

canvas.addEventListener("pointerdown", (event) => {
  if (image) clear();
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  context.strokeStyle = "#000";
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...place(event));
  context.lineTo(...place(event));
  context.stroke();
  clearTimeout(timer);
});

canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) context.lineTo(...place(each));
  context.stroke();
});

canvas.addEventListener("pointerup", () => {
  timer = setTimeout(() => canvas.toBlob(ask, "image/png"), PAUSE);
});

async function ask(blob) {
  const query = new URLSearchParams();
  for (const name of ["first", "second"]) {
    const chosen = document.getElementById(name).value;
    if (chosen) query.set(name, chosen);
  }
  const turn = (asked += 1);
  answers.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(`/try?${query}`, { method: "POST", body: blob });
    const text = answer.ok ? await answer.text() : `<p class="bad">The server refused it (${answer.status}).</p>`;
    if (turn === asked) answers.innerHTML = text;
  } catch {
    if (turn === asked) answers.textContent = "The server does not answer.";
  }
  answers.removeAttribute("aria-busy");
}

async function take(file) {
  if (!file) return;
  clear();
  image = file;
  canvas.classList.add("file");
  try {
    // Only to show it: the server reads the file itself, of formats that browsers do not know too.
    const picture = await createImageBitmap(file);
    const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
    const width = picture.width * scale;
    const height = picture.height * scale;
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  } catch {
    // It cannot be shown here.
  }
  ask(file);
}

const drop = document.querySelector("[data-drop]");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
document.getElementById("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = "";
});
document.getElementById("clear").addEventListener("click", clear);
for (const name of ["first", "second"]) {
  document.getElementById(name).addEventListener("change", () => {
    if (image) ask(image);
    else if (answers.innerHTML !== empty) canvas.toBlob(ask, "image/png");
  });
}
clear();
