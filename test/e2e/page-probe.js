// What a page looks like, told from inside of it: an expression that the browser evaluates.
/* global document, getComputedStyle, NodeFilter */
(() => {
  const { clientWidth, scrollWidth } = document.documentElement;
  const boxes = [...document.querySelectorAll('svg text')].map((element) => {
    const { bottom, left, right, top } = element.getBoundingClientRect();
    return { text: element.textContent, left, right, top, bottom };
  });
  // WCAG 2.2, success criterion 1.4.3.
  const parse = (text) => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return { parts: [red, green, blue], alpha };
  };
  const luminance = ({ parts }) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => {
      const share = parts[at] / 255;
      return sum + weight * (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);
    }, 0);
  const ground = (element) => {
    if (element === null) return { parts: [255, 255, 255] };
    const color = parse(getComputedStyle(element).backgroundColor);
    return color.alpha > 0 ? color : ground(element.parentElement);
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.textContent.trim() === '' || element.tagName === 'title') continue;
    const style = getComputedStyle(element);
    const color = parse(element.closest('svg') === null ? style.color : style.fill);
    const [high, low] = [luminance(color), luminance(ground(element))].sort((one, other) => other - one);
    texts.push({ text: node.textContent, contrast: (high + 0.05) / (low + 0.05) });
  }
  return { overflow: scrollWidth - clientWidth, width: clientWidth, boxes, texts };
})();
