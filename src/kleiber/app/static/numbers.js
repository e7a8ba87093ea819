// Quantities as people write them, in and out: 70B, 1.4T, 5.76e23, 128k.

const MULTIPLES = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12, p: 1e15, e: 1e18 };
const PATTERN = /^\s*([+-]?(?:\d[\d_,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([kmbgtpe]?)\s*$/i;

/** A number from text, NaN where it is none. */
export function read(text) {
  const match = PATTERN.exec(String(text));
  return match ? Number(match[1].replace(/[,_]/g, "")) * MULTIPLES[match[2].toLowerCase()] : NaN;
}

const tidy = (value, digits) => Number(value.toPrecision(digits));

/** A number in words: 73B; compute as a power of ten. */
export function show(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const rounded = tidy(value, digits);
  const size = Math.abs(rounded);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return power(rounded, digits);
  for (const [multiple, suffix] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= multiple) return `${tidy(rounded / multiple, digits + 3)}${suffix}`;
  }
  return String(tidy(rounded, digits));
}

export function power(value, digits = 3) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

export const percent = (value, digits = 2) => (value === null || value === undefined ? "–" : `${plain(100 * value, digits)} %`);
export const fixed = (value, digits = 4) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
export const plain = (value, digits = 4) =>
  value === null || value === undefined || !Number.isFinite(value) ? "–"
    : Math.abs(value) >= 1e-4 && Math.abs(value) < 1e5 ? String(tidy(value, digits)) : power(value, digits);
