// What is printed on a card, on a PUK letter and on the envelope. All of it is for the printer: keep it nowhere else.

import { createHash } from "node:crypto";
import { Refused } from "./portal.mjs";

/** The photo and the logotype of a card, or null. Their hashes name what the issuer approved. */
export async function pictures(portal, { id, customisation_id: customisation, print }) {
  const picture = async (hash, path, accept) => {
    if (!hash) return null;
    const { body } = await portal.get(path, { accept });
    const read = createHash("sha256").update(body).digest("hex");
    if (read !== hash) throw new Refused(path, 409, { code: "other-sha256" });
    return body;
  };
  return {
    photo: await picture(print.photo_sha256, `orders/${id}/photo`, "image/jpeg"),
    logotype: await picture(print.logotype_sha256, `card-customisations/${customisation}/logotype`, "image/png"),
  };
}

/** The lines of a card. A reserve card has no name and no id, and gets no lines for them. Nor does a value that is null. */
export function layout(order, serial) {
  const { print, article } = order;
  const name = [print.given_name, print.surname].filter(Boolean).join(" ");
  return {
    orientation: article.orientation,
    front: [name, print.organisation_name, print.service_id, print.valid_to && swedishDay(print.valid_to)].filter(Boolean),
    back: [print.issuer_number, ...(print.back_text ?? "").split("\n"), inGroups(serial)].filter(Boolean),
  };
}

/** The lines of a PUK letter. The holder knows the card by the end of its serial number. */
export function letter({ print }, serial, puk) {
  return [print.organisation_name, `Kort som slutar på ${serial.slice(-4)}`, puk];
}

/**
 * The lines of the envelope. A protected person has no address here: the letter goes in another
 * envelope to Skatteverkets förmedlingsuppdrag, which `forwarding` says.
 */
export function envelope({ delivery }) {
  const { recipient, address, forwarding } = delivery;
  if (forwarding) return { forwarding, lines: [recipient] };
  const town = [address.postal_code, address.city].filter(Boolean).join(" ");
  const country = address.country === "SE" ? null : address.country;
  return { forwarding, lines: [recipient, ...address.lines, town, country].filter(Boolean) };
}

/** The day in Sweden of a moment, as 2031-11-30. */
export function swedishDay(moment = Date.now()) {
  return new Date(moment).toLocaleDateString("sv-SE", { timeZone: "Europe/Stockholm" });
}

function inGroups(serial) {
  return serial.replace(/^(\d{4})(\d{4})(\d{3})(\d{4})(\d{4})$/, "$1 $2 $3 $4 $5");
}
