// What the page calls the music that the model knows.

export const LETTERS = "ABCDEFGH";
export const NOUN = document.body.dataset.noun;

/** The name of an input, by its side. */
export const named = (side) => `${NOUN} ${LETTERS[side]}`;

/** Words at the beginning of a sentence. */
export const begun = (words) => words[0].toUpperCase() + words.slice(1);
