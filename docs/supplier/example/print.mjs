// What is printed on the card and on the letter, from an order that the supplier makes (docs/supplier/printing.md).

/** Returns the lines of the card's front and back, and of the envelope. A reserve card has no name and no service id. */
export function layout(order, serial) {
  const { print, delivery } = order;
  const validTo = new Date(print.valid_to).toLocaleDateString('sv-SE', { timeZone: 'Europe/Stockholm' });
  return {
    front: [...holder(print), print.organisation_name, validTo],
    back: [print.issuer_number, serial, ...print.back_text.split('\n')],
    envelope: envelope(delivery),
  };
}

/** Returns the lines of a PUK letter and of its envelope. */
export function letter({ print, delivery }, serial, puk) {
  const lines = [print.organisation_name, `Kort som slutar på ${serial.slice(-4)}`, puk];
  return { letter: lines, envelope: envelope(delivery) };
}

function holder({ given_name: givenName, surname, service_id: serviceId }) {
  return surname === null ? [] : [`${givenName} ${surname}`, serviceId];
}

// Without an address the letter goes inside another one, through Skatteverkets förmedlingsuppdrag.
function envelope({ forwarding, recipient, address }) {
  if (forwarding) return [recipient, 'Skatteverkets förmedlingsuppdrag'];
  const country = address.country === 'SE' ? [] : [address.country];
  return [recipient, ...address.lines, `${address.postal_code} ${address.city}`, ...country];
}
