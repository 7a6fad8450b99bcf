/** Reads what the report functions write, strictly: a mistake in nesting or quoting is an error. */
import assert from 'node:assert/strict'

export interface Element {
  tag: string
  attributes: Record<string, string>
  /** Text of it and of all below it, entities resolved. */
  text: string
  children: Element[]
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
const plain = (text: string) => {
  assert.doesNotMatch(text.replace(/&(amp|lt|gt|quot|#39);/g, ''), /[&<>"]/, `unescaped: ${text.slice(0, 80)}`)
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name])
}

/** The elements of a page or of a part of one; throws on a tag that is not closed or closed in the wrong place. */
export function read(html: string): Element {
  const root: Element = { tag: '', attributes: {}, text: '', children: [] }
  const open = [root]
  const add = (text: string) => {
    for (const element of open) element.text += text
  }
  const body = html.replace(/^<!DOCTYPE html>\n/, '').replace(/<style>[^<]*<\/style>/, '')
  const tag = /<(\/?)([a-z1-6]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)( \/)?>|([^<]+)/gy
  let end = 0
  for (let match = tag.exec(body); match; match = tag.exec(body)) {
    end = tag.lastIndex
    const [, slash, name, attributes, alone, text] = match
    if (text !== undefined) add(text.trim() === '' ? text : plain(text))
    else if (slash) assert.equal(open.pop()?.tag, name, `</${name}> closes another element`)
    else {
      const element: Element = { tag: name, attributes: {}, text: '', children: [] }
      for (const [, key, value] of attributes.matchAll(/ ([a-zA-Z0-9:-]+)="([^"]*)"/g))
        element.attributes[key] = plain(value)
      open[open.length - 1].children.push(element)
      if (!alone) open.push(element)
    }
  }
  assert.equal(end, body.length, `not HTML: ${body.slice(end, end + 80)}`)
  assert.equal(open.length, 1, `<${open[open.length - 1].tag}> is not closed`)
  return root
}

/** All elements below `element` with the tag and, if given, the class. */
export function all(element: Element, tag: string, style?: string): Element[] {
  return element.children.flatMap((child) => [
    ...(child.tag === tag && (!style || child.attributes['class']?.split(' ').includes(style)) ? [child] : []),
    ...all(child, tag, style),
  ])
}
