import { compareVectors } from '../e2e/comparingVectors.js'

await compareVectors(20, true, 0.95)
