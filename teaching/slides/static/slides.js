// Formulas are set and fonts loaded first, then each slide is made to fit, then the show begins.
(async () => {
  const SMALLEST = 0.72; // of the full size: text of 28 points at 20, code of 22 at 18 (slides.css)
  const LARGEST = 1.3; // where there is room, and no figure that could use it
  const STEP = 0.02;
  await MathJax.startup.promise;
  await document.fonts.ready;

  const reveal = document.querySelector(".reveal");
  const beyond = (box) => box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1;
  const over = (sheet) => [sheet, ...sheet.querySelectorAll(":scope > .left")].some(beyond);
  // Hidden slides have no size: all are laid out, unseen, while they are measured.
  reveal.classList.add("measuring");
  for (const sheet of reveal.querySelectorAll(".sheet")) {
    let size = sheet.querySelector("figure") ? 1 : LARGEST;
    sheet.style.setProperty("--size", size);
    while (over(sheet) && size > SMALLEST) {
      size = Math.max(SMALLEST, size - STEP);
      sheet.style.setProperty("--size", size);
    }
  }
  reveal.classList.remove("measuring");

  await Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    hash: true,
    controls: false,
    slideNumber: "c/t",
    transition: "none",
    backgroundTransition: "none",
    controlsTutorial: false,
    pdfSeparateFragments: false,
    pdfMaxPagesPerSlide: 1,
    plugins: [RevealNotes],
  });
  document.documentElement.dataset.ready = "yes";
})();
