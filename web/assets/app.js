// Comfort only: every page works without it.
"use strict";

// "/" goes to the search box, unless somebody is writing.
document.addEventListener("keydown", (e) => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, select, textarea")) return;
  e.preventDefault();
  document.getElementById("find").select();
  document.getElementById("find").focus();
});

// A filter hides rows of this page while it is written; Enter asks the server for all of them.
for (const box of document.querySelectorAll("input[data-filter]")) {
  const body = document.getElementById(box.dataset.filter);
  if (!body) continue;
  const rows = [...body.rows], told = document.createElement("output"), asked = box.value;
  told.className = "meta";
  box.closest("form").append(told);
  const texts = rows.map((r) => r.textContent.toLowerCase());
  box.addEventListener("input", () => {
    const part = box.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((r, i) => { r.hidden = !texts[i].includes(part); if (!r.hidden) shown++; });
    told.textContent = box.value === asked ? "" : shown + " of " + rows.length + " on this page; Enter looks through all";
  });
}

// A button copies a command.
if (navigator.clipboard) for (const pre of document.querySelectorAll("pre.cmd")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.querySelector("code").textContent);
    button.textContent = "Copied";
  });
  pre.append(button);
}
