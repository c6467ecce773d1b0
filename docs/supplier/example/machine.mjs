// The machines of a card factory. The example has none: put calls to yours here.

/** Prints a card. `photo` and `logotype` are pictures as bytes, or null. */
export function printCard(lines, photo, logotype) {}

/** Writes the checked certificates to the card. */
export function writeCertificates(serial, certificates) {}

/** Sets the card's PUK, also in place of one that the portal refused. */
export function writePuk(serial, puk) {}

/** Prints a PUK letter. */
export function printLetter(lines) {}

/** Prints the envelope and packs the cards with these serial numbers, or the letter. */
export function pack(lines, serials) {}

/** The post's number for a registered letter. */
export function postNumber() {
  return `LA00R${String(Date.now()).slice(-6)}SE`;
}
