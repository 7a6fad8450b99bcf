/** The vocabulary of item attributes, and their words in titles and queries. */

/** Words for an attribute: its name, then synonyms. */
type Words = readonly string[]

/** Hue in degrees, saturation and lightness in percent. */
export interface Hsl {
  h: number
  s: number
  l: number
}

export const materials = {
  cotton: ['cotton', 'jersey'],
  linen: ['linen', 'flax'],
  wool: ['wool', 'woollen', 'knitted'],
  silk: ['silk', 'satin'],
  denim: ['denim', 'jean'],
  leather: ['leather', 'hide'],
  canvas: ['canvas', 'sailcloth'],
  wood: ['wooden', 'oak', 'timber'],
  metal: ['metal', 'steel'],
  glass: ['glass', 'crystal'],
  ceramic: ['ceramic', 'stoneware', 'porcelain'],
} satisfies Record<string, Words>

export type Material = keyof typeof materials

/** `price`: base price of the middle price level, in currency units. */
export interface Category {
  name: string
  words: Words
  materials: readonly Material[]
  price: number
}

const clothes: readonly Material[] = ['cotton', 'linen', 'wool', 'silk', 'denim']
const furniture: readonly Material[] = ['cotton', 'linen', 'wool', 'leather', 'wood']
const carried: readonly Material[] = ['cotton', 'canvas', 'leather', 'denim', 'wool']
const vessels: readonly Material[] = ['glass', 'ceramic', 'metal', 'wood']

export const categories: readonly Category[] = [
  { name: 'shirt', words: ['shirt', 'tee', 'top'], materials: clothes, price: 24 },
  { name: 'dress', words: ['dress', 'gown', 'frock'], materials: clothes, price: 45 },
  { name: 'trousers', words: ['trousers', 'pants', 'slacks'], materials: clothes, price: 38 },
  { name: 'skirt', words: ['skirt', 'kilt'], materials: clothes, price: 30 },
  { name: 'shoe', words: ['shoes', 'sneakers', 'trainers'], materials: carried, price: 60 },
  { name: 'bag', words: ['bag', 'handbag', 'tote'], materials: carried, price: 55 },
  { name: 'backpack', words: ['backpack', 'rucksack'], materials: carried, price: 50 },
  { name: 'hat', words: ['hat', 'sunhat'], materials: ['cotton', 'linen', 'wool', 'leather', 'denim'], price: 20 },
  { name: 'umbrella', words: ['umbrella', 'brolly'], materials: ['cotton', 'silk', 'canvas', 'linen'], price: 22 },
  { name: 'mug', words: ['mug', 'cup'], materials: vessels, price: 12 },
  { name: 'bottle', words: ['bottle', 'flask'], materials: vessels, price: 16 },
  { name: 'lamp', words: ['lamp', 'light'], materials: ['linen', 'silk', 'metal', 'glass', 'wood'], price: 48 },
  { name: 'chair', words: ['chair', 'seat'], materials: furniture, price: 90 },
  { name: 'sofa', words: ['sofa', 'couch', 'settee'], materials: furniture, price: 420 },
  {
    name: 'cushion',
    words: ['cushion', 'pillow'],
    materials: ['cotton', 'linen', 'wool', 'silk', 'leather'],
    price: 18,
  },
]

export const colors: readonly { words: Words; hsl: Hsl }[] = [
  { words: ['red', 'crimson', 'scarlet'], hsl: { h: 356, s: 78, l: 46 } },
  { words: ['orange', 'tangerine'], hsl: { h: 25, s: 92, l: 54 } },
  { words: ['yellow', 'lemon'], hsl: { h: 51, s: 92, l: 56 } },
  { words: ['green', 'emerald'], hsl: { h: 132, s: 55, l: 38 } },
  { words: ['blue', 'azure'], hsl: { h: 214, s: 78, l: 48 } },
  { words: ['purple', 'violet'], hsl: { h: 276, s: 55, l: 44 } },
  { words: ['pink', 'rose'], hsl: { h: 335, s: 82, l: 77 } },
  { words: ['brown', 'chocolate'], hsl: { h: 24, s: 50, l: 29 } },
  { words: ['black', 'jet'], hsl: { h: 230, s: 8, l: 14 } },
  { words: ['white', 'ivory'], hsl: { h: 45, s: 20, l: 95 } },
]

/** `weight`: relative frequency. */
export const patterns: readonly { name: PatternName; words: Words; weight: number }[] = [
  { name: 'plain', words: ['plain', 'solid'], weight: 1.6 },
  { name: 'striped', words: ['striped', 'stripe', 'pinstripe'], weight: 1 },
  { name: 'dotted', words: ['dotted', 'polka dot', 'spotted'], weight: 1 },
  { name: 'checked', words: ['checked', 'plaid', 'gingham'], weight: 1 },
  { name: 'floral', words: ['floral', 'flowery', 'blossom'], weight: 1 },
]

export type PatternName = 'plain' | 'striped' | 'dotted' | 'checked' | 'floral'

/** Invented names; each brand has a preferred price level. */
export const brands: readonly { name: string; priceLevel: number }[] = [
  'Belvane',
  'Corrick',
  'Dunmere',
  'Eskola',
  'Farrowby',
  'Galdine',
  'Hollund',
  'Isvera',
  'Jorvane',
  'Kestrow',
  'Lumeno',
  'Marlisk',
  'Nordale',
  'Ostrey',
  'Pellucid Co',
  'Quillon',
].map((name, i) => ({ name, priceLevel: i % 3 }))

/** Factor on the category's base price. */
export const priceLevels: readonly number[] = [0.5, 1, 2.2]

export const noiseWords: Words = [
  'new',
  'best seller',
  'premium',
  'sale',
  'hot',
  'gift',
  'classic',
  'official',
  'free shipping',
  '2025',
  'quality',
]

const materialNames = Object.keys(materials) as Material[]

/** The attributes of an item, each an index of the vocabulary. */
export interface Attributes {
  category: number
  color: number
  pattern: number
  material: number
  brand: number
  priceLevel: number
}

export type Field = keyof Attributes

/** Number of values of each attribute. */
export const vocabulary: Record<Field, number> = {
  category: categories.length,
  color: colors.length,
  pattern: patterns.length,
  material: materialNames.length,
  brand: brands.length,
  priceLevel: priceLevels.length,
}

export const fields = Object.keys(vocabulary) as Field[]

/** Indices of the materials of a category. */
export function materialsOf(category: number): number[] {
  return categories[category].materials.map((name) => materialNames.indexOf(name))
}

/** Words for the value of an attribute that titles and queries can contain. */
export function wordsFor(field: 'category' | 'color' | 'pattern' | 'material', value: number): Words {
  if (field === 'category') return categories[value].words
  if (field === 'color') return colors[value].words
  if (field === 'pattern') return patterns[value].words
  return materials[materialNames[value]]
}
