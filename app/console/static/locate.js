const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Where a JSON pointer leads in a valid JSON text: begin and end of the value, or of what is nearest around a missing one. */
export function locate(text, pointer) {
  const places = listPlaces([...text.matchAll(TOKEN)]);
  let found = pointer;
  while (!places.has(found)) found = found.slice(0, found.lastIndexOf("/"));
  return places.get(found);
}

function listPlaces(tokens) {
  const places = new Map();
  let next = 0;
  const read = (path) => {
    const first = tokens[next++];
    let last = first;
    if ("{[".includes(first[0])) {
      for (let index = 0; !"}]".includes(tokens[next][0]); index += 1) {
        const key = first[0] === "{" ? JSON.parse(tokens[next][0]) : String(index);
        if (first[0] === "{") next += 2;
        read(`${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`);
        if (tokens[next][0] === ",") next += 1;
      }
      last = tokens[next++];
    }
    places.set(path, [first.index, last.index + last[0].length]);
  };
  read("");
  return places;
}
