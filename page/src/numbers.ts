/** Numbers as the language of the page writes them. */
import { language } from "./text";

/** With so many digits after the point. */
export const formatted = (value: number, digits: number): string =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });

/** A probability or another share of one. */
export const share = (value: number): string => formatted(value, 2);

/** A measured value with as many digits as its size bears. */
export function number(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 1000 ? 1 : 0;
  return formatted(value, digits);
}
