"use strict";
// Shows what has changed since the page was loaded, part by part, so that nothing flickers or moves that is the same.
// What the reader has opened stays open, and a part in which something is selected or typed is left alone.

const EVERY_MILLISECONDS = 5000;

function inUse(part) {
  const selection = document.getSelection();
  return part.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(part, true));
}

function opened(part) {
  return [...part.querySelectorAll("details")].map((details) => details.open);
}

function update(shown, fresh) {
  if (shown.isEqualNode(fresh) || inUse(shown)) return;
  const open = opened(shown);
  fresh.querySelectorAll("details").forEach((details, index) => { details.open = open[index] ?? details.open; });
  if (shown.isEqualNode(fresh)) return;
  shown.replaceWith(document.adoptNode(fresh));
}

async function refresh() {
  if (document.hidden) return;
  const notice = document.getElementById("offline");
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const shown = document.querySelector("main");
    if (fresh.children.length === shown.children.length) {
      [...fresh.children].forEach((part, index) => update(shown.children[index], part));
    } else {
      update(shown, fresh);
    }
    if (notice) notice.hidden = true;
  } catch {
    if (notice) notice.hidden = false;
  }
}

setInterval(refresh, EVERY_MILLISECONDS);
document.addEventListener("visibilitychange", refresh);
