// Before MathJax: which signs are formulas, and that nothing needs to be measured, since most slides are hidden.
window.MathJax = {
  tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]], processEscapes: true },
  chtml: { matchFontHeight: false },
  options: { enableMenu: false, enableAssistiveMml: true },
};
