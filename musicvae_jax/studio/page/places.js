// Where the first song is left and the second is entered: the proposals, to choose another one.

const part = document.getElementById("places-part");
const list = document.getElementById("places");
const form = document.querySelector("form[data-mode=interpolate]");

const because = (reasons) => (reasons.length ? ` (${reasons.join(", ")})` : "");

function row(place, isTaken) {
  const item = document.createElement("li");
  const words =
    `A is left after bar ${place.from}${because(place.from_because_of)}, ` +
    `B entered at bar ${place.to}${because(place.to_because_of)}: score ${place.score.toFixed(3)}`;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = isTaken ? "Taken" : "Take this";
  button.setAttribute("aria-label", `${button.textContent}: ${words}`);
  button.disabled = isTaken;
  button.addEventListener("click", () => {
    for (const name of ["from", "to"]) form.querySelector(`[data-flag=${name}]`).value = place[name];
    form.requestSubmit();
  });
  item.append(button, words);
  return item;
}

/** Shows the proposals that a result was chosen from, the best first, if there were some. */
export function draw(made) {
  const told = made.places;
  part.hidden = !told?.proposals;
  if (part.hidden) return;
  const isTaken = ({ from, to }) => from === told.from && to === told.to;
  list.replaceChildren(...told.proposals.map((place) => row(place, isTaken(place))));
}
