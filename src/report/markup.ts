/** HTML and SVG from functions. Anything that is not `Markup` is text, and text is escaped. */

export class Markup {
  constructor(readonly html: string) {}
}

export type Child = Markup | string | number | false | undefined | readonly Child[]

/** Void elements of HTML. */
const closed = new Set(['meta', 'img'])

/** An element; undefined attributes are left out. */
export function h(tag: string, attributes: Record<string, string | number | undefined>, ...children: Child[]): Markup {
  const list = Object.entries(attributes).filter(([, value]) => value !== undefined)
  const opening = [tag, ...list.map(([name, value]) => `${name}="${escapeHtml(String(value))}"`)].join(' ')
  return new Markup(closed.has(tag) ? `<${opening} />` : `<${opening}>${render(children)}</${tag}>`)
}

function render(child: Child): string {
  if (child instanceof Markup) return child.html
  if (child === undefined || child === false) return ''
  if (typeof child === 'string' || typeof child === 'number') return escapeHtml(String(child))
  return child.map(render).join('')
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Escapes text for use between tags and in attributes; drops control characters, which HTML does not allow. */
function escapeHtml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are to be dropped
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '').replace(/[&<>"']/g, (c) => entities[c])
}
