// How numbers and names are written. money and shown are the same as in style.py; a test holds them together.

/**
 * An amount in USD: three digits and k, m, bn or tn.
 * @param {number} usd
 * @returns {string}
 */
export function money(usd) {
  if (!Number.isFinite(usd)) return Number.isNaN(usd) ? "n/a" : usd > 0 ? "∞" : "−∞";
  const sign = usd < 0 ? "−" : "";
  const value = Math.abs(usd);
  if (value === 0) return "$0";
  if (value < 0.01) return sign + "<$0.01";
  /** @type {[factor: number, unit: string][]} */
  const units = [[1, ""], [1e3, "k"], [1e6, "m"], [1e9, "bn"], [1e12, "tn"]];
  for (const [factor, unit] of units) {
    const short = value / factor;
    if (short < 999.45 || unit === "tn") {
      const places = short < 9.995 ? 2 : short < 99.95 ? 1 : 0;
      return sign + "$" + short.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }) + unit;
    }
  }
  return "n/a";
}

/**
 * A count with commas between its thousands.
 * @param {number} value
 * @returns {string}
 */
export function whole(value) {
  return value.toLocaleString("en-US");
}

/**
 * A score in three significant digits.
 * @param {number} value
 * @returns {string}
 */
export function score(value) {
  if (!Number.isFinite(value)) return "n/a";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5) return money(value).replace("$", "");
  return size < 1e-4 ? value.toExponential(1).replace("e-", "e−") : String(Number(value.toPrecision(3)));
}

/**
 * A share with one decimal of a percent.
 * @param {number} share 0 to 1
 * @returns {string}
 */
export function percent(share) {
  return share > 0 && share < 0.0005 ? "<0.1 %" : (100 * share).toFixed(1) + " %";
}

/**
 * "1 node", "2 nodes".
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function plural(count, noun) {
  return whole(count) + " " + noun + (count === 1 ? "" : "s");
}

/**
 * Keeps what a label does to the direction of text inside it: first-strong isolate … pop.
 * @param {string} text
 * @returns {string}
 */
export function isolated(text) {
  return "\u2068" + text + "\u2069";
}

/**
 * A label without its kind in front.
 * @param {string} label
 * @param {string} kind
 * @returns {string}
 */
export function bare(label, kind) {
  return label.startsWith(kind + ":") && label.length > kind.length + 1 ? label.slice(kind.length + 1) : label;
}

/**
 * A label as a short name: the middle of a long one is left out.
 * @param {string} label
 * @param {string} kind
 * @param {number} [limit] characters
 * @returns {string}
 */
export function shown(label, kind, limit = 22) {
  const name = bare(label, kind).split(/\s+/u).filter(Boolean).join(" ");
  if (/^0x[0-9a-fA-F]{18,}$/u.test(name)) return name.slice(0, 6) + "…" + name.slice(-4);
  const signs = Array.from(name);
  if (signs.length <= limit) return name;
  const head = (limit - 1) >> 1;
  return signs.slice(0, head).join("") + "…" + signs.slice(signs.length - (limit - 1 - head)).join("");
}

/**
 * An element with attributes and children; strings become text, never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | (() => void)>} attributes a function is what a click does
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener("click", value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * The page's element with an id; an error where there is none of that kind.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function part(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`no ${kind.name} with id ${id} on this page`);
  return found;
}
