"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const sections = [...document.querySelectorAll("section.class")];
  const filter = $("filter"), viewer = $("viewer"), stage = $("stage");
  if (!sections.length) return;

  // -- the filter: classes, splits, and words of labels and keys

  const cardsOf = (section) => [...section.querySelectorAll("figure")];
  const read = (element) => element.textContent.toLowerCase();
  const number = new Intl.NumberFormat("en-US");
  let waiting = 0;

  const apply = () => {
    const [label, split] = [$("by-class").value, $("by-split") ? $("by-split").value : ""];
    const words = $("by-word").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, every = 0;
    for (const section of sections) {
      const cards = cardsOf(section);
      const title = words.length ? read(section.querySelector("h3")) : "";
      const fits = (!label || section.dataset.label === label)
        && (!split || section.dataset.split === split);
      let left = 0;
      for (const card of fits ? cards : []) {
        const text = words.length ? `${title} ${read(card)}` : "";
        card.hidden = !words.every((word) => text.includes(word));
        left += card.hidden ? 0 : 1;
      }
      section.hidden = !left;
      shown += left;
      every += cards.length;
    }
    $("count").textContent = `${number.format(shown)} of ${number.format(every)}`;
  };
  filter.hidden = false;
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });
  filter.addEventListener("reset", () => setTimeout(apply));

  // -- a picture of the clip itself, while a card without one is on the screen

  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const there = target.firstElementChild;
      if (isIntersecting && !there) {
        const made = document.createElement("image" in target.dataset ? "img" : "video");
        Object.assign(made, { alt: "", muted: true, preload: "metadata", tabIndex: -1 });
        made.src = made.tagName === "VIDEO" ? `${target.href}#t=1` : target.href;
        target.append(made);
      } else if (!isIntersecting && there) {
        there.removeAttribute("src");
        there.remove();
      }
    }
  }, { rootMargin: "200px" });
  for (const link of document.querySelectorAll("a.none")) near.observe(link);

  // -- one clip at a time, large

  let queue = [], at = 0;

  const show = (step) => {
    at = (at + step + queue.length) % queue.length;
    const link = queue[at], card = link.closest("figure");
    const made = document.createElement("image" in link.dataset ? "img" : "video");
    if (made.tagName === "VIDEO") {
      Object.assign(made, { controls: true, autoplay: true, loop: true, playsInline: true });
    }
    made.addEventListener("error", () => { $("trouble").hidden = false; });
    $("trouble").hidden = true;
    made.src = $("open").href = link.href;
    stage.replaceChildren(made);
    $("title").textContent = card.closest("section").querySelector("h3 bdi").textContent;
    $("about").replaceChildren(card.querySelector("figcaption").cloneNode(true));
    $("place").textContent = `${number.format(at + 1)} of ${number.format(queue.length)}`;
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.shot[href]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    queue = [...document.querySelectorAll("section.class:not([hidden]) figure:not([hidden]) a.shot[href]")];
    at = queue.indexOf(link);
    viewer.showModal();
    show(0);
  });
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    $(id).addEventListener("click", () => show(step));
  }
  $("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", () => {
    stage.replaceChildren();
    queue[at].focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.open && event.target.tagName !== "VIDEO") {
      if (event.key === "ArrowLeft") show(-1);
      if (event.key === "ArrowRight") show(1);
    } else if (event.key === "/" && !/INPUT|SELECT/.test(event.target.tagName)) {
      event.preventDefault();
      $("by-word").focus();
    }
  });
})();
