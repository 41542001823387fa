/** Times of the server, which are UTC and do not say so. */
export const moment = (told: string): string => new Date(`${told}Z`).toLocaleString();

export const day = (told: string): string => new Date(`${told}Z`).toLocaleDateString();
