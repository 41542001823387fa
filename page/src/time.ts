/** Times of the server as the language of the page writes them. */
import { language } from "./text";

/** The browser's own kind of the language, such as that of Britain or the United States. */
const locale = (): string => navigator.languages.find((one) => one.startsWith(language)) ?? language;

export const moment = (told: string): string => new Date(told).toLocaleString(locale());

export const day = (told: string): string => new Date(told).toLocaleDateString(locale());
