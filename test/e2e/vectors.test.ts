/** At the smallest size; test/slow/vectors.test.ts trains until vectors differ from item to item. */
import { compareVectors } from './comparingVectors.js'

await compareVectors(1, false, 1)
