// How numbers and names are written. money and shown are the same as in style.py; a test holds them together.

export function money(usd) {
  if (!Number.isFinite(usd)) return Number.isNaN(usd) ? "n/a" : usd > 0 ? "∞" : "−∞";
  const sign = usd < 0 ? "−" : "";
  const value = Math.abs(usd);
  if (value === 0) return "$0";
  if (value < 0.01) return sign + "<$0.01";
  for (const [factor, unit] of [[1, ""], [1e3, "k"], [1e6, "m"], [1e9, "bn"], [1e12, "tn"]]) {
    const short = value / factor;
    if (short < 999.45 || unit === "tn") {
      const places = short < 9.995 ? 2 : short < 99.95 ? 1 : 0;
      return sign + "$" + short.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }) + unit;
    }
  }
  return "n/a";
}

export function whole(value) {
  return value.toLocaleString("en-US");
}

// A score in three significant digits.
export function score(value) {
  if (!Number.isFinite(value)) return "n/a";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5) return money(value).replace("$", "");
  return size < 1e-4 ? value.toExponential(1).replace("e-", "e−") : String(Number(value.toPrecision(3)));
}

export function percent(share) {
  return share > 0 && share < 0.0005 ? "<0.1 %" : (100 * share).toFixed(1) + " %";
}

export function plural(count, noun) {
  return whole(count) + " " + noun + (count === 1 ? "" : "s");
}

// Hides nothing that a label does to the text round it: first-strong isolate … pop.
export function isolated(text) {
  return "\u2068" + text + "\u2069";
}

export function bare(label, kind) {
  return label.startsWith(kind + ":") && label.length > kind.length + 1 ? label.slice(kind.length + 1) : label;
}

export function shown(label, kind, limit = 22) {
  const name = bare(label, kind).split(/\s+/u).filter(Boolean).join(" ");
  if (/^0x[0-9a-fA-F]{18,}$/u.test(name)) return name.slice(0, 6) + "…" + name.slice(-4);
  const signs = Array.from(name);
  if (signs.length <= limit) return name;
  const head = (limit - 1) >> 1;
  return signs.slice(0, head).join("") + "…" + signs.slice(signs.length - (limit - 1 - head)).join("");
}

// An element with attributes and children; strings become text, never markup.
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
